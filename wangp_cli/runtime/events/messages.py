"""The only functions that print for people; all of them escape what they are given.

Names of files, values in metadata, prompts, and errors of libraries are untrusted: on a terminal they could
move the cursor, set the title, forge a line or hide text.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from wangp_cli.files.safe_text import escape_control_characters, escape_line

# rich takes longer to import than most commands take.
if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def plain(text: object) -> Text:
    """Text on one line, without markup, with control characters as escapes."""
    from rich.text import Text

    return Text(escape_line(str(text)))


def stderr_console() -> Console:
    """A rich console on stderr, which is not escaped: print only what `plain` returns."""
    from rich.console import Console

    unescaped = getattr(sys.stderr, "unescaped", None)
    return Console(file=unescaped, stderr=True, highlight=False, soft_wrap=True)


def stdout_console() -> Console:
    """A rich console on stdout for tables: print only what `plain` returns."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def show_error(message: str, hint: str | None = None, console: Console | None = None) -> None:
    """Print an error and its hint on stderr."""
    from rich.text import Text

    console = console or stderr_console()
    console.print(Text.assemble(("error: ", "bold red"), plain(message)))
    if hint:
        console.print(Text.assemble(("hint: ", "bold"), plain(hint)))


def show_note(message: str, console: Console | None = None) -> None:
    """Print a notice on stderr."""
    from rich.text import Text

    (console or stderr_console()).print(Text.assemble(("note: ", "bold cyan"), plain(message)))


def show_line(text: object, console: Console | None = None) -> None:
    """Print a line on stderr."""
    (console or stderr_console()).print(plain(text))


def write_line(text: object = "") -> None:
    """Print a line on stdout."""
    sys.stdout.write(f"{escape_line(str(text))}\n")


def write_text(text: str) -> None:
    """Print lines of text on stdout."""
    sys.stdout.write(f"{escape_control_characters(text)}\n")


def write_path(path: str | Path, file: TextIO | None = None) -> None:
    """Print the path of a file on a line of its own, by default on stdout.

    Escaped on a terminal, else byte for byte, because programs read it.
    """
    file = file or sys.stdout
    if file.isatty() or not hasattr(file, "buffer"):
        file.write(f"{escape_line(str(path))}\n")
    else:
        file.flush()
        file.buffer.write(os.fsencode(path) + b"\n")
    file.flush()
