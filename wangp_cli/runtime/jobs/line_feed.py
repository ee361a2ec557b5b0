"""Lines of a task file, read ahead in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wangp_cli.runtime.execute import result_or_error

if TYPE_CHECKING:
    from wangp_cli.errors import WangpError
    from wangp_cli.runtime.intake import TaskLine

READ_AHEAD = 256
"""Lines read ahead of the work, so that memory stays flat whatever the file's length."""


class LineFeed:
    """Reads lines in a thread, because reading may block for ever, on a pipe that stays open.

    Attributes:
        ended: whether all lines were taken.
    """

    def __init__(self) -> None:
        self.ended = False
        self._queue: queue.Queue[TaskLine | WangpError | None] = queue.Queue(READ_AHEAD)

    def start(self, lines: Iterable[TaskLine]) -> None:
        """Start to read; an error that reading raises is given like a line."""
        threading.Thread(target=self._read, args=(lines,), name="wangp-tasks", daemon=True).start()

    def take(
        self, most: int = READ_AHEAD, *, wait_seconds: float | None = None
    ) -> list[TaskLine | WangpError]:
        """The lines that are there.

        Args:
            most: give no more of them.
            wait_seconds: wait so long for the first.
        """
        taken: list[TaskLine | WangpError] = []
        try:
            while not self.ended and len(taken) < most:
                wait = wait_seconds is not None and not taken
                line = self._queue.get(block=wait, timeout=wait_seconds if wait else None)
                if line is None:
                    self.ended = True
                else:
                    taken.append(line)
        except queue.Empty:
            pass
        return taken

    def close(self) -> None:
        """Take no more lines."""
        self.ended = True

    def _read(self, lines: Iterable[TaskLine]) -> None:
        error = result_or_error(lambda: self._put(lines))
        if error is not None:
            self._queue.put(error)
        self._queue.put(None)

    def _put(self, lines: Iterable[TaskLine]) -> None:
        for line in lines:
            self._queue.put(line)
