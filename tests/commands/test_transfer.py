"""What Ctrl-C leaves of a transfer."""

from __future__ import annotations

import pytest

from wangp_cli.commands._transfer import show_transfer
from wangp_cli.errors import Cancelled


def interrupt(done: int) -> None:
    with show_transfer("fetch x", "wangp fetch x") as transfer:
        transfer.update("a", done, 10_000_000)
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("done", "kept"), [(5_000_000, "5.0 MB of 10.0 MB are kept"), (0, "nothing was written yet")]
)
def test_ctrl_c_tells_what_is_kept_and_how_to_go_on(done: int, kept: str) -> None:
    with pytest.raises(Cancelled, match=kept) as caught:
        interrupt(done)
    assert (caught.value.hint, caught.value.exit_code) == ("wangp fetch x goes on", 130)
