"""Reserve stderr for messages: what libraries write there is escaped."""

from __future__ import annotations

import io
import math
import select
import sys
import time
from typing import TYPE_CHECKING

from wangp_cli.files.safe_text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer


STOP_SECONDS = 5.0
"""Time after which a stopped run gives up a reader that takes nothing: it must end before it is killed."""
POLL_SECONDS = 0.2
PIPE_BYTES = 4096
"""A pipe that takes anything takes so much without blocking."""


class _Stderr(io.FileIO):
    """The file of stderr; a reader that takes nothing blocks the run only until it is stopped.

    Attributes:
        stopping: whether the run was stopped.
    """

    def __init__(self) -> None:
        super().__init__(2, "w", closefd=False)
        self.stopping: Callable[[], bool] = lambda: False
        self._given_up = False

    def write(self, data: Buffer, /) -> int:
        """Write some of `data`, or discard it if nobody reads."""
        if self._takes_more():
            return super().write(memoryview(data)[:PIPE_BYTES])
        return memoryview(data).nbytes

    def _takes_more(self) -> bool:
        ready, until = select.poll(), math.inf
        ready.register(2, select.POLLOUT)
        while not self._given_up and not ready.poll(POLL_SECONDS * 1000):
            if self.stopping():
                until = min(until, time.monotonic() + STOP_SECONDS)
            self._given_up = time.monotonic() >= until
        return not self._given_up


class EscapedStderr(io.TextIOWrapper):
    """Stderr for libraries: warnings, tracebacks and logs may hold foreign text.

    Attributes:
        unescaped: the same file, for consoles that colour and draw.
        file: that file, without buffer.
    """

    unescaped: io.TextIOWrapper
    file: _Stderr

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
    file = _Stderr()
    escaped = EscapedStderr(io.BufferedWriter(file), **options)  # type: ignore[arg-type]
    escaped.unescaped = io.TextIOWrapper(io.BufferedWriter(file), **options)  # type: ignore[arg-type]
    escaped.file = file
    sys.stderr = escaped


def discard_when_stopped(stopping: Callable[[], bool]) -> None:
    """Discard what is written to stderr once `stopping()` is true and nobody reads."""
    if isinstance(sys.stderr, EscapedStderr):
        sys.stderr.file.stopping = stopping
