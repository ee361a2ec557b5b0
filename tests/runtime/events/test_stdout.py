"""Standard output, reserved for results."""

from __future__ import annotations

import subprocess
import sys

from tests.support.python_code import python

STDOUT = """
import os, sys
from wangp_cli.runtime.events.stdout import private_stdout
private_stdout()
os.write(1, b"a library\\n")
os.system("echo a program")
print("a result", flush=True)
"""


CLOSED = """
import sys
from wangp_cli.runtime.events.stdout import private_stdout
stdout = private_stdout()
sys.stdin.readline()
for _ in range(3):
    print("x" * 100000, flush=True)
print(stdout.reader_gone, file=sys.stderr)
"""


DESCRIPTORS = """
import os
os.close(0); os.close(2)
from wangp_cli.runtime.events.stdout import open_closed_descriptors
open_closed_descriptors()
print(os.open("/dev/zero", os.O_RDONLY) > 2)
"""


def test_what_libraries_and_programs_print_goes_to_stderr() -> None:
    done = python(STDOUT)
    assert done.stdout == "a result\n"
    assert done.stderr == "a library\na program\n"


def test_a_closed_reader_is_noted_and_raises_nothing() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLOSED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stderr.read() == "True\n"
    assert process.returncode == 0


def test_closed_descriptors_are_taken_by_no_file() -> None:
    assert python(DESCRIPTORS).stdout == "True\n"
