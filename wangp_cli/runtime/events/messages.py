"""Messages for people on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from wangp_cli.files.safe_text import escape_control_characters


def plain(text: str) -> Text:
    """Text without markup, control characters as escapes."""
    return Text(escape_control_characters(text))


def stderr_console() -> Console:
    """A rich console on stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def show_error(message: str, hint: str | None, console: Console | None = None) -> None:
    """Print an error and its hint."""
    console = console or stderr_console()
    console.print(Text.assemble(("error: ", "bold red"), plain(message)))
    if hint:
        console.print(Text.assemble(("hint: ", "bold"), plain(hint)))
