"""Texts of strangers, made harmless for eyes and for shells."""

from __future__ import annotations

import re
import shlex

NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters and those that turn the direction of writing, line ends included."""


def visible(text: str) -> str:
    r"""The text with all such characters but tabs and line ends as `\x1b`."""
    return NOT_PLAIN.sub(lambda match: match[0] if match[0] in "\t\n" else _escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def quote(word: str) -> str:
    r"""A word for bash or zsh; such characters become `$'\x1b'`, so that pasting the word is harmless."""
    if not NOT_PLAIN.search(word):
        return shlex.quote(word)
    plain = word.replace("\\", "\\\\").replace("'", "\\'").replace("!", r"\x21")
    # Bytes, not code points: bash reads \\u by its locale.
    return "$'" + NOT_PLAIN.sub(lambda match: "".join(f"\\x{b:02x}" for b in match[0].encode()), plain) + "'"
