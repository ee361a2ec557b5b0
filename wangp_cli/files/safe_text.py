"""Escape untrusted text for terminals, logs, pages, messages and shells."""

from __future__ import annotations

import re
import shlex

NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line separators and characters that change the direction of text."""


def escape_control_characters(text: str) -> str:
    r"""Write control characters, except tabs and line ends, as escapes such as `\x1b`."""
    return NOT_PLAIN.sub(lambda match: match[0] if match[0] in "\t\n" else _escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def quote_for_shell(word: str) -> str:
    r"""Quote one word for bash or zsh; control characters become `$'\x1b'`, so that pasting runs nothing."""
    if not NOT_PLAIN.search(word):
        return shlex.quote(word)
    plain = word.replace("\\", "\\\\").replace("'", "\\'").replace("!", r"\x21")
    # Bytes, not code points: bash reads \\u by its locale.
    return "$'" + NOT_PLAIN.sub(lambda match: "".join(f"\\x{b:02x}" for b in match[0].encode()), plain) + "'"


def quote_for_message(text: str) -> str:
    """Quote, escape and shorten untrusted text for an error message."""
    quoted = ascii(text)
    return quoted if len(quoted) <= 60 else quoted[:56] + "...'"
