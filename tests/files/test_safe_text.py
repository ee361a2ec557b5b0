"""Texts of strangers on terminals and pages."""

from __future__ import annotations

from wangp_cli.files.safe_text import escape_control_characters
from wangp_cli.runtime.events.messages import plain


def test_control_characters_and_turned_writing_are_shown_as_escapes() -> None:
    text = "a\x1b[1m\u202eb\nc\u2028[bold]"
    assert escape_control_characters(text) == "a\\x1b[1m\\u202eb\nc\\u2028[bold]"
    assert plain(text).plain == escape_control_characters(text)
