"""Errors of commands."""

from __future__ import annotations

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
