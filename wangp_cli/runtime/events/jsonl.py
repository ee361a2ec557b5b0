"""Write events as JSON lines from a thread, so that a slow reader does not delay the work."""

from __future__ import annotations

import errno
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from wangp_cli.runtime.events.stream import Event

LIMIT = 1024
"""Lines that may be queued."""
PATIENCE_SECONDS = 60.0
"""Time after which a reader that takes nothing is given up at the end of the run."""
STOP_SECONDS = 5.0
"""The same for a run that was stopped: it must end before it is killed."""
POLL_SECONDS = 0.2
"""How soon a blocked emitter notices that the run was stopped."""


class _QueuedLine(NamedTuple):
    seq: int
    kind: str
    task: str | None
    lossy: bool
    line: str


class JsonLines:
    """A sink that writes each event as one line to a descriptor.

    When more than `limit` lines are queued, lossy events are dropped, the oldest of the same type and task
    first; the next line tells their number (`dropped`). Other events block the emitter until there is room.

    Args:
        descriptor: where lines go; it stays open.
        form: formats an event.
        limit: lines that may be queued.
        durable: fsync whenever the queue is empty, as a file needs it.

    Attributes:
        closed: whether nothing is written any more.
        error: why.
        on_failure: called once, from the writer thread, when writing fails.
        stopping: whether the run was stopped; a reader that takes nothing no longer blocks the emitter then.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        form: Callable[[Event], str] = Event.line,
        limit: int = LIMIT,
        durable: bool = False,
    ) -> None:
        self.closed = False
        self.error: OSError | None = None
        self.on_failure: Callable[[], None] | None = None
        self.stopping: Callable[[], bool] = lambda: False
        self._descriptor = descriptor
        self._form = form
        self._limit = limit
        self._durable = durable
        self._queue: deque[_QueuedLine] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = self._ending = False
        self._written = 0
        self._last_seq: int | None = None
        self._process = os.getpid()

    @property
    def reader_gone(self) -> bool:
        """Whether the reader closed its end of the pipe or socket."""
        return isinstance(self.error, ConnectionError)

    def __call__(self, event: Event) -> None:
        """Queue one event."""
        # A forked child has no writer thread; its parent writes the events.
        if self.closed or os.getpid() != self._process:
            return
        line = _QueuedLine(event.seq, event.type, event.task, event.lossy, self._form(event))
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="wangp-lines", daemon=True)
                self._thread.start()
            seen, until = self._written, math.inf
            while not (self.closed or self._ending or self._admit(line)):
                if not self.stopping() or self._written != seen:
                    seen, until = self._written, math.inf
                else:
                    until = min(until, time.monotonic() + STOP_SECONDS)
                    if time.monotonic() >= until:
                        self._give_up(_takes_nothing())
                        return
                self._changed.wait(POLL_SECONDS)
            self._changed.notify_all()

    def _admit(self, line: _QueuedLine) -> bool:
        """Queue a line, or drop it; False if the emitter must wait."""
        if len(self._queue) >= self._limit:
            place = self._index_to_drop(line)
            if place is None:
                return line.lossy
            del self._queue[place]
        self._queue.append(line)
        return True

    def _index_to_drop(self, line: _QueuedLine) -> int | None:
        for place, other in enumerate(self._queue):
            if other.lossy and (not line.lossy or (other.kind, other.task) == (line.kind, line.task)):
                return place
        return None

    def flush(self, patience: float = PATIENCE_SECONDS) -> bool:
        """Wait until all lines are written.

        Returns:
            False if writing failed, or if the reader took nothing for `patience` seconds; nothing more is
            written then.
        """
        if os.getpid() != self._process:
            return False
        if self.stopping():
            patience = min(patience, STOP_SECONDS)
        with self._changed:
            seen, until = self._written, time.monotonic() + patience
            while (self._queue or self._busy) and not self.closed:
                if self._written != seen:
                    seen, until = self._written, time.monotonic() + patience
                if time.monotonic() >= until:
                    self._give_up(_takes_nothing())
                    return False
                self._changed.wait(0.5)
            return not self.closed

    def close(self, patience: float = PATIENCE_SECONDS) -> bool:
        """Flush, then stop the writer thread; returns what `flush` does."""
        complete = self.flush(patience)
        if os.getpid() == self._process:
            with self._changed:
                self._ending = True
                self._changed.notify_all()
            if complete and self._thread is not None:
                self._thread.join()
        return complete

    def _work(self) -> None:
        try:
            while (line := self._next()) is not None:
                self._write(self._bytes(line))
                if self._durable and not self._queue:
                    os.fsync(self._descriptor)
        except OSError as error:
            self._give_up(error)
            if self.on_failure is not None:
                self.on_failure()

    def _give_up(self, error: OSError) -> None:
        with self._changed:
            self.closed, self.error = True, self.error or error
            self._queue.clear()
            self._changed.notify_all()

    def _next(self) -> _QueuedLine | None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            while not self._queue:
                if self._ending:
                    return None
                self._changed.wait()
            self._busy = True
            return self._queue.popleft()

    def _bytes(self, line: _QueuedLine) -> memoryview:
        dropped = line.seq - self._last_seq - 1 if self._last_seq is not None else 0
        self._last_seq = line.seq
        text = f'{line.line[:-1]},"dropped":{dropped}}}' if dropped else line.line
        return memoryview(text.encode() + b"\n")

    def _write(self, rest: memoryview) -> None:
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
                self._written += 1
            except BlockingIOError:
                ready = select.poll()
                ready.register(self._descriptor, select.POLLOUT)
                ready.poll()


def _takes_nothing() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, "the reader takes nothing")
