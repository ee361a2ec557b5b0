"""Texts of strangers on terminals and pages."""

from __future__ import annotations

from wangp_cli.files.safe_text import visible
from wangp_cli.runtime.events.console import plain


def test_control_characters_and_turned_writing_are_shown_as_escapes() -> None:
    text = "a\x1b[1m\u202eb\nc\u2028[bold]"
    assert visible(text) == "a\\x1b[1m\\u202eb\nc\\u2028[bold]"
    assert plain(text).plain == visible(text)
