"""Messages for people."""

from __future__ import annotations

from wangp_cli.runtime.events.messages import plain


def test_text_is_neither_markup_nor_control_characters() -> None:
    assert plain("[bold]a\x1b[1m\u202e").plain == "[bold]a\\x1b[1m\\u202e"
