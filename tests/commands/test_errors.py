"""Errors of commands."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.errors import RequestError


def test_an_error_is_a_message_a_hint_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, report_errors():
        raise RequestError("frames", "0 is too few", hint="--frames 5")
    assert caught.value.exit_code == 2
    told = capsys.readouterr()
    assert "frames: 0 is too few" in told.err
    assert "--frames 5" in told.err
    assert told.out == ""


def test_an_exit_keeps_its_code() -> None:
    with pytest.raises(typer.Exit) as caught, report_errors():
        raise typer.Exit(7)
    assert caught.value.exit_code == 7


def test_an_unexpected_error_is_in_the_log_that_the_hint_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    with pytest.raises(typer.Exit), report_errors():
        raise ZeroDivisionError("odd\x1b")
    for handler in root.handlers:
        handler.close()
    told = capsys.readouterr().err
    [log] = tmp_path.rglob("wangp.log")
    assert told.splitlines()[-1] == f"hint: this is a bug of wangp; the log has the details: {log}"
    assert "Traceback" not in told
    text = log.read_text()
    assert "ZeroDivisionError: odd\\x1b" in text
    assert "Traceback" in text
