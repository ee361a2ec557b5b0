"""Untrusted text on terminals, in messages and in shells."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.report_pages import NASTY
from wangp_cli.files.safe_text import escape_control_characters, quote_for_message, quote_for_shell
from wangp_cli.runtime.events.messages import plain


def test_control_characters_and_turned_writing_are_shown_as_escapes() -> None:
    text = "a\x1b[1m\u202eb\nc\u2028[bold]"
    assert escape_control_characters(text) == "a\\x1b[1m\\u202eb\nc\\u2028[bold]"
    assert plain(text).plain == "a\\x1b[1m\\u202eb\\nc\\u2028[bold]"


@pytest.mark.parametrize("text", NASTY)
def test_a_quoted_word_is_the_same_word_for_the_shell_and_safe_to_paste(text: str) -> None:
    quoted = quote_for_shell(text)
    done = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
    if not text.startswith("-"):
        assert done.stdout.decode() == text
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", quoted)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("a b", "'a b'"), ("é\x1b[1m", "'\\xe9\\x1b[1m'"), ("x" * 61, "'" + "x" * 55 + "...'")],
)
def test_a_text_in_a_message_is_escaped_and_short(text: str, quoted: str) -> None:
    assert quote_for_message(text) == quoted
