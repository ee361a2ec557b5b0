"""Reserve stderr for messages: what libraries write there is escaped."""

from __future__ import annotations

import io
import sys

from wangp_cli.files.safe_text import escape_control_characters


class EscapedStderr(io.TextIOWrapper):
    """Stderr for libraries: warnings, tracebacks and logs may hold foreign text.

    Attributes:
        unescaped: the same file, for consoles that colour and draw.
    """

    unescaped: io.TextIOWrapper

    def write(self, text: str, /) -> int:
        """Write text, control characters as escapes."""
        super().write(escape_control_characters(text, keep="\t\n\r"))
        return len(text)


def escape_stderr() -> None:
    """Make `sys.stderr` escape what is written to it."""
    if sys.stderr is None:
        return
    sys.stderr.flush()
    options = {"encoding": "utf-8", "errors": "backslashreplace", "line_buffering": True}
    escaped = EscapedStderr(_raw(), **options)  # type: ignore[arg-type]
    escaped.unescaped = io.TextIOWrapper(_raw(), **options)  # type: ignore[arg-type]
    sys.stderr = escaped


def _raw() -> io.BufferedWriter:
    return io.BufferedWriter(io.FileIO(2, "w", closefd=False))
