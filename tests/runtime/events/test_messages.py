"""Messages for people."""

from __future__ import annotations

import pytest

from wangp_cli.runtime.events.messages import plain, show_error


def test_text_is_neither_markup_nor_control_characters() -> None:
    assert plain("[bold]a\x1b[1m\u202e").plain == "[bold]a\\x1b[1m\\u202e"


def test_an_error_and_its_hint_are_printed_as_plain_text(capfd: pytest.CaptureFixture[str]) -> None:
    show_error("[red]a\x1b[1m", "b")
    show_error("c", None)
    assert capfd.readouterr().err == "error: [red]a\\x1b[1m\nhint: b\nerror: c\n"
