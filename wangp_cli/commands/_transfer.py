"""Progress of commands that move many bytes, and what Ctrl-C leaves of their work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wangp_cli.errors import Cancelled
from wangp_cli.files.units import format_bytes

if TYPE_CHECKING:
    from wangp_cli.runtime.events.transfer import Transfer


@contextmanager
def show_transfer(title: str, again: str) -> Iterator[Transfer]:
    """Show the progress of a transfer that the block makes.

    Args:
        title: what is done, such as `fetch t2v_1.3B`.
        again: the command that goes on after an interruption.

    Raises:
        Cancelled: Ctrl-C was pressed; it says what is kept.
    """
    # Here, because rich takes longer to import than most commands take.
    from wangp_cli.runtime.events.transfer import Transfer

    transfer = Transfer(title)
    try:
        with transfer:
            yield transfer
    except KeyboardInterrupt:
        of = f" of {format_bytes(transfer.total)}" if transfer.total else ""
        kept = f"{format_bytes(transfer.done)}{of} are kept" if transfer.done else "nothing was written yet"
        raise Cancelled(f"stopped; {kept}", hint=f"{again} goes on") from None
