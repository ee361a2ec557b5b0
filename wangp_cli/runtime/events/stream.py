"""The stream: the one place where events get their number, their time and their order."""

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
    """The envelope."""

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
        """The same as a CloudEvents 1.0 line, sent by `host`."""
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
    """Whether a line is an event of ours, in either form; of a torn one only the beginning is looked at."""
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
    """Numbers events and hands them to the sinks, in order; any thread may emit.

    Args:
        run: name of the run.
        sinks: called one after the other for each event, never at the same time.
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
        """Send what follows to one more sink."""
        with self._lock:
            self._sinks.append(sink)

    def emit(self, data: Data, task: str | None = None, attempt: int | None = None) -> None:
        """Send one event; what comes after `run.finished` is ignored.

        Args:
            data: the payload.
            task: the task it is about.
            attempt: the attempt that begins with this event; else the one that is going on.
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


class Pulse:
    """Says `heartbeat` whenever a stream was silent for a while."""

    def __init__(self, stream: Stream, seconds: float = SILENCE_SECONDS) -> None:
        self._stream = stream
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="wangp-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Say nothing more."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(max(0.01, self._stream.last + self._seconds - time.monotonic())):
            if time.monotonic() - self._stream.last >= self._seconds:
                self._stream.emit(Heartbeat())
