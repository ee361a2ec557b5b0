"""Stderr whose reader takes nothing."""

from __future__ import annotations

import subprocess
import sys

STUCK = """
import sys, time
from wangp_cli.runtime.events import stderr
stderr.STOP_SECONDS, stderr.POLL_SECONDS = 0.1, 0.02
stderr.escape_stderr()
began = time.monotonic()
stderr.discard_when_stopped(lambda: time.monotonic() > began + 0.3)
for _ in range(100):
    print("x" * 5000, file=sys.stderr, flush=True)
    print("y" * 5000, file=sys.stderr.unescaped, flush=True)
print(time.monotonic() - began)
"""


def test_a_stopped_run_gives_up_a_reader_of_stderr_that_takes_nothing() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=pipe, stderr=pipe) as process:
        assert process.stdout
        assert process.stderr
        assert 0.3 < float(process.stdout.read()) < 3, "a reader that is only slow is waited for"
        assert len(process.stderr.read()) > 4096
        assert process.wait(10) == 0
