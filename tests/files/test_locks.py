"""Advisory locks on open files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wangp_cli.files.locks import lock

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(60)
"""


def test_a_lock_ends_with_its_process_even_if_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    with path.open() as file:
        assert lock(file.fileno()) is False
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert lock(file.fileno()) is True
    holder.stdout.close()


def test_file_systems_without_locks_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def none(*_: object) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr("fcntl.flock", none)
    with (tmp_path / "a").open("w") as file:
        assert lock(file.fileno()) is None
