"""Start of a session."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from wangp_cli.runtime.bootstrap import start_logging
from wangp_cli.runtime.settings import Folders


@pytest.mark.parametrize(
    ("level", "verbose", "shown"),
    [
        ("INFO", False, []),
        ("INFO", True, ["told", "warned"]),
        ("WARNING", True, ["warned"]),
        ("DEBUG", False, ["detail", "told", "warned"]),
    ],
)
def test_messages_of_the_log_are_shown_if_asked_for(
    level: str, verbose: bool, shown: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, before = logging.getLogger(), logging.getLogger().level
    try:
        start_logging(Folders(config=tmp_path, data=tmp_path, state=tmp_path), level, verbose=verbose)
        log = logging.getLogger("wangp_cli.test")
        log.debug("detail")
        log.info("told")
        log.warning("warned")
        assert [line.rsplit(" ", 1)[1] for line in capsys.readouterr().err.splitlines()] == shown
        written = (tmp_path / "wangp.log").read_text()
        assert "warned" in written
    finally:
        root.setLevel(before)
        start_logging(Folders(config=tmp_path, data=tmp_path, state=tmp_path), "WARNING")
