"""A terminal that records what is drawn on it, and what a person would see there."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_TOKEN = re.compile("\x1b\\[([0-9;?]*)([A-Za-z])|.", re.DOTALL)


class Terminal:
    """A pseudo terminal; `slave` is the descriptor that a program writes to.

    Args:
        columns: its width.
    """

    def __init__(self, columns: int = 80) -> None:
        self._master, self.slave = os.openpty()
        self.resize(columns)
        self.chunks: list[tuple[float, bytes]] = []
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def resize(self, columns: int) -> None:
        """Give it another width."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def text(self) -> str:
        """Everything that was written so far, with control sequences."""
        return b"".join(data for _, data in self.chunks).decode()

    def screen(self) -> list[str]:
        """The lines that a person sees now, without empty ones at the end."""
        return screen(self.text())

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Wait until a text is on the screen."""
        until = time.monotonic() + seconds
        while not any(text in line for line in self.screen()):
            assert time.monotonic() < until, f"no {text!r} in {self.screen()}"
            time.sleep(0.02)

    def close(self) -> list[str]:
        """Stop recording; the lines at the end."""
        os.close(self.slave)
        self._thread.join(10)
        return self.screen()

    def start(
        self, command: Sequence[str], *, cwd: Path, environment: dict[str, str], stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program whose terminal this is; `stdout` is another descriptor for its results."""
        slave = self.slave

        def control() -> None:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self._began = time.monotonic()
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            preexec_fn=control,  # noqa: PLW1509 - it takes no lock
            pass_fds=(slave,),
        )

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                return
            if not data:
                return
            self.chunks.append((time.monotonic() - self._began, data))


def screen(text: str) -> list[str]:
    """The lines of a terminal after a text with control sequences, without empty ones at the end."""
    lines: list[list[str]] = [[]]
    row = column = 0
    for match in _TOKEN.finditer(text):
        number, command = match.groups()
        if command == "A":
            row = max(0, row - int(number or 1))
        elif command == "K":
            lines[row] = [] if number == "2" else lines[row][:column]
        elif command == "J":
            lines[row] = lines[row][:column]
            del lines[row + 1 :]
        elif command is not None:
            assert command in "mhl", f"unknown sequence {match[0]!r}"
        elif match[0] == "\r":
            column = 0
        elif match[0] == "\n":
            row += 1
        else:
            lines[row] += [" "] * (column - len(lines[row]) + 1)
            lines[row][column] = match[0]
            column += 1
        lines += [[] for _ in range(row - len(lines) + 1)]
    shown = ["".join(line).rstrip() for line in lines]
    while shown and not shown[-1]:
        shown.pop()
    return shown
