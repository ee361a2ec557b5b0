"""Escape untrusted text for terminals, logs, pages, messages and shells."""

from __future__ import annotations

import re
import shlex

NOT_PLAIN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters, line separators, invisible characters, those that change the direction of text, and
bytes of file names that are not UTF-8."""
LONGEST_LINE = 4000
"""Characters of a value that is printed on one line."""


def escape_control_characters(text: str, keep: str = "\t\n") -> str:
    r"""Write control and invisible characters, except those in `keep`, as escapes such as `\x1b`."""
    return NOT_PLAIN.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def escape_line(text: str) -> str:
    r"""Write text on one line, line ends and tabs as `\n` and `\t`; the middle of a long one is left out."""
    if len(text) > LONGEST_LINE:
        text = f"{text[: LONGEST_LINE // 2]} ... {text[-LONGEST_LINE // 4 :]} ({len(text)} characters)"
    return escape_control_characters(text.replace("\n", "\\n").replace("\t", "\\t"), keep="")


def _escape(character: str) -> str:
    code = ord(character)
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote_for_shell(word: str) -> str:
    r"""Quote one word for bash or zsh; control characters become `$'\x1b'`, so that pasting runs nothing."""
    if not NOT_PLAIN.search(word):
        return shlex.quote(word)
    plain = word.replace("\\", "\\\\").replace("'", "\\'").replace("!", r"\x21")
    # Bytes, not code points: bash reads \\u by its locale.
    return "$'" + NOT_PLAIN.sub(lambda match: _hex(match[0]), plain) + "'"


def _hex(character: str) -> str:
    """The bytes of a character, or the byte of a file name that is not UTF-8, as escapes."""
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))


def quote_for_message(text: str) -> str:
    """Quote, escape and shorten untrusted text for an error message."""
    quoted = ascii(text)
    return quoted if len(quoted) <= 60 else quoted[:56] + "...'"
