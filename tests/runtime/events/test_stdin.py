"""Standard input, reserved for task files and answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.python_code import python
from wangp_cli.runtime.events.stdin import is_stdin

STDIN = """
import os, sys
from wangp_cli.runtime.events.stdin import keep_stdin, open_stdin, stdin_for_answers
keep_stdin()
print(repr(os.read(0, 9)), repr(open("/dev/stdin").read()))
with stdin_for_answers():
    print(repr(sys.stdin.readline()))
kept = open_stdin()
print(kept is not None)
"""


def test_libraries_read_an_empty_input_and_questions_the_real_one() -> None:
    assert python(STDIN, input="yes\n").stdout.splitlines() == ["b'' ''", "'yes\\n'", "True"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("/dev/stdin", True),
        ("/dev/fd/0", True),
        ("/proc/self/fd/0", True),
        ("/dev/../dev/stdin", True),
        ("link", True),
        ("loop", False),
        ("/dev/fd/1", False),
        ("0", False),
        ("-", False),
    ],
)
def test_standard_input_is_known_by_any_name(
    name: str, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("/dev/stdin")
    Path("loop").symlink_to("loop")
    assert is_stdin(name) == wanted
