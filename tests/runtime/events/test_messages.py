"""Messages for people."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import wangp_cli
from wangp_cli.files.safe_text import LONGEST_LINE
from wangp_cli.runtime.events.messages import plain, show_error, show_note, write_line, write_path

PACKAGE = Path(wangp_cli.__file__).parent
PRINTERS = {
    "runtime/events/messages.py",
    "runtime/events/console.py",
    "runtime/events/display.py",
    "commands/_table.py",
    "commands/doctor.py",
}
"""Modules that print, all of it made by `plain` or JSON."""
HOSTILE = "[bold]a[/]\x1b]0;t\x07\x9b1m\u202e\u200b\nerror: forged\r[/nothing]\udcff"
SHOWN = "[bold]a[/]\\x1b]0;t\\x07\\x9b1m\\u202e\\u200b\\nerror: forged\\x0d[/nothing]\\udcff"


def printing_calls(file: Path) -> list[str]:
    """The calls of a module that print: `print`, those of typer and rich, and writes to standard streams."""
    calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    names = [ast.unparse(call) for call in calls]
    endings = (".echo", ".secho", ".print", "stdout.write", "stderr.write", "Console", "writelines")
    return [name for name in names if name in ("print", "pprint") or name.endswith(endings)]


def test_everything_is_printed_by_the_functions_that_escape() -> None:
    found = {
        file.relative_to(PACKAGE).as_posix(): calls
        for file in PACKAGE.rglob("*.py")
        if (calls := printing_calls(file))
    }
    assert found.keys() == PRINTERS


def test_text_is_neither_markup_nor_control_characters_nor_a_second_line() -> None:
    assert plain(HOSTILE).plain == SHOWN


def test_very_long_text_is_shortened() -> None:
    shown = plain("a" * 10**6).plain
    assert len(shown) < LONGEST_LINE
    assert "(1000000 characters)" in shown


def test_an_error_and_its_hint_are_printed_as_plain_text(capfd: pytest.CaptureFixture[str]) -> None:
    show_error(HOSTILE, "b")
    show_error("c", None)
    show_note(HOSTILE)
    assert capfd.readouterr().err == f"error: {SHOWN}\nhint: b\nerror: c\nnote: {SHOWN}\n"


def test_a_line_is_escaped_and_a_path_only_on_terminals(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_line(HOSTILE)
    name = os.fsdecode(b"a\xff\x1b")
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write_path(name, pipe)
    terminal = io.StringIO()
    write_path(name, terminal)
    assert capfdbinary.readouterr().out.decode() == SHOWN + "\n"
    assert pipe.buffer.getvalue() == b"a\xff\x1b\n"
    assert terminal.getvalue() == "a\\udcff\\x1b\n"


def test_what_libraries_write_to_stderr_is_escaped() -> None:
    code = """
from wangp_cli.runtime.events.messages import stderr_console
from wangp_cli.runtime.events.stderr import escape_stderr
import sys, warnings
escape_stderr()
warnings.warn("a\\x1b[1m\\u202e")
print("b\\x1b", file=sys.stderr)
stderr_console().file.write("\\x1b[?25l")
raise ValueError("c\\x1b")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    lines = done.stderr.decode()
    for shown in ("a\\x1b[1m\\u202e", "b\\x1b", "c\\x1b"):
        assert shown in lines
    assert "\x1b" not in lines.replace("\x1b[?25l", "")
