"""The event stream: it numbers events, stamps them with the time and passes them to sinks in order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from wangp_cli.runtime.events.types import Data, Heartbeat, RunFinished, TaskRejected, TaskRetrying

SILENCE_SECONDS = 10.0
OUTCOMES = {
    "task.completed": "completed",
    "task.failed": "failed",
    "task.cancelled": "cancelled",
    "task.rejected": "rejected",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event with its envelope.

    Args:
        type: such as `task.started`.
        seq: number in the run, from 1.
        ts: wall clock, UTC, ISO 8601.
        mono: seconds since the stream was created, by a monotonic clock.
        run: id of the run.
        data: the payload as JSON data.
        task: id of the task it belongs to; None for events of the run.
        attempt: of the task, from 1.
        trace: W3C trace context.
        lossy: whether a slow sink may drop it.
    """

    type: str
    seq: int
    ts: str
    mono: float
    run: str
    data: dict[str, Any]
    task: str | None = None
    attempt: int | None = None
    trace: str | None = None
    lossy: bool = False

    @property
    def id(self) -> str:
        """Unique among all events of all runs."""
        return f"{self.run}.{self.seq}"

    def line(self) -> str:
        """One JSON line, without the newline; events of the run itself have no `task`."""
        body: dict[str, Any] = {"v": 1, "type": self.type, "seq": self.seq, "id": self.id}
        body |= {"ts": self.ts, "mono": self.mono, "run": self.run}
        if self.task is not None or self.type == TaskRejected.type:
            body["task"] = self.task
        if self.attempt is not None:
            body["attempt"] = self.attempt
        if self.trace is not None:
            body["trace"] = self.trace
        return _json(body | {"data": self.data})

    def cloud_line(self, host: str) -> str:
        """One CloudEvents 1.0 JSON line, without the newline; `host` is part of its source."""
        body = {
            "specversion": "1.0",
            "id": self.id,
            "source": f"wangp/{host}/{self.run}",
            "type": f"io.wangp.{self.type}",
            "time": self.ts,
            "datacontenttype": "application/json",
            "subject": self.task,
            "attempt": self.attempt,
            "traceparent": self.trace,
            "data": self.data,
        }
        return _json({name: value for name, value in body.items() if value is not None})


def is_event(line: bytes, *, torn: bool) -> bool:
    """Whether a line is an event of this program in either format; a torn line is judged by its beginning."""
    if not line.startswith((b'{"v":1,"type":"', b'{"specversion":"1.0","id":"')):
        return False
    if torn:
        return True
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return body.keys() >= {"seq", "ts", "run"} or str(body.get("type")).startswith("io.wangp.")


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


Sink: TypeAlias = Callable[[Event], None]


class Stream:
    """Number events and pass them to sinks in order; any thread may emit.

    Args:
        run: id of the run.
        sinks: called one after the other for each event, never concurrently.
        trace: W3C trace context that the run belongs to.
    """

    def __init__(self, run: str, sinks: Sequence[Sink], *, trace: str | None = None) -> None:
        self.run = run
        self.counts = dict.fromkeys([*OUTCOMES.values(), "skipped"], 0)
        self.started = self.last = time.monotonic()
        self._sinks = list(sinks)
        self._trace = trace
        self._seq = 0
        self._attempts: dict[str, int] = {}
        self._finished = False
        self._lock = threading.Lock()

    def add(self, sink: Sink) -> None:
        """Add a sink for the events that follow."""
        with self._lock:
            self._sinks.append(sink)

    def emit(self, data: Data, task: str | None = None, attempt: int | None = None) -> None:
        """Send one event; events after `run.finished` are ignored.

        Args:
            data: the payload.
            task: id of the task it belongs to.
            attempt: number of the attempt that starts with this event; None for the current attempt.
        """
        body = data.model_dump(mode="json")
        with self._lock:
            if self._finished:
                return
            self._seq += 1
            self.last = time.monotonic()
            event = Event(
                type=data.type,
                seq=self._seq,
                ts=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                mono=round(self.last - self.started, 3),
                run=self.run,
                data=body,
                task=task,
                attempt=self._attempt(data, task, attempt),
                trace=self._trace,
                lossy=data.lossy,
            )
            self._count(data, task)
            for sink in self._sinks:
                sink(event)

    def _attempt(self, data: Data, task: str | None, attempt: int | None) -> int | None:
        if task is None or isinstance(data, TaskRejected):
            return None
        if attempt is not None:
            self._attempts[task] = attempt
        return self._attempts.get(task, 1)

    def _count(self, data: Data, task: str | None) -> None:
        self._finished = isinstance(data, RunFinished)
        if isinstance(data, TaskRetrying) and task is not None:
            self._attempts[task] = data.next_attempt
        if outcome := OUTCOMES.get(data.type):
            self.counts["skipped" if getattr(data, "skipped", False) else outcome] += 1
            if task is not None:
                self._attempts.pop(task, None)


class HeartbeatSender:
    """Emit `heartbeat` from a thread whenever a stream had no event for `seconds`."""

    def __init__(self, stream: Stream, seconds: float = SILENCE_SECONDS) -> None:
        self._stream = stream
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="wangp-heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(max(0.01, self._stream.last + self._seconds - time.monotonic())):
            if time.monotonic() - self._stream.last >= self._seconds:
                self._stream.emit(Heartbeat())
