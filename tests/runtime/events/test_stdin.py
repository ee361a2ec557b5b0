"""Standard input, reserved for task files and answers."""

from __future__ import annotations

from tests.support.python_code import python

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
