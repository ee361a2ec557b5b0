"""Control state of a run: requests to pause, cancel, drain or abort it, and its progress."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from wangp_cli.errors import Cancelled

if TYPE_CHECKING:
    from wangp_cli.runtime.events.stream import Event

Mode = Literal["now", "drain"]
State = Literal["running", "pausing", "paused", "draining", "aborting", "finished"]
Reason: TypeAlias = Literal["signal", "abort", "reader_gone", "drain"]
StopReason: TypeAlias = Literal["signal", "abort", "reader_gone", "cancel"]
POLL_SECONDS = 0.2
"""How soon a waiting thread notices a signal, whose handler takes no lock."""
STDOUT_CLOSED = 141
"""Exit code of a run that ended because stdout was closed."""
ENDS = ("task.completed", "task.failed", "task.cancelled", "task.rejected")


@dataclass
class _ProgressState:
    """Progress of the run, from its events."""

    planned: int | None = None
    counts: dict[str, int] = field(default_factory=lambda: {end.removeprefix("task."): 0 for end in ENDS})
    running: set[str] = field(default_factory=set)
    task: str | None = None
    now: dict[str, Any] = field(default_factory=dict)

    def note(self, event: Event) -> None:
        """Update it by one event."""
        if event.type == "run.started":
            self.planned = event.data.get("planned")
        if event.task is not None and event.type == "task.started":
            self.running.add(event.task)
            self.task, self.now = event.task, {}
        elif event.type == "task.stage":
            self.task, self.now = event.task, {"stage": event.data["stage"], "step": 0}
        elif event.type == "task.progress":
            keys = ("stage", "step", "total", "fraction", "eta_s")
            self.task, self.now = event.task, {key: event.data[key] for key in keys}
        elif event.type in ENDS:
            self.counts[event.type.removeprefix("task.")] += 1
        if event.task is not None and event.type in (*ENDS, "task.retrying"):
            self.running.discard(event.task)
            if event.task == self.task:
                self.task, self.now = None, {}


class Control:
    """The requests that steer a run; every method is thread-safe, only `hold` and the `wait` methods block.

    It is also a sink of the run's events, from which it knows the running tasks. `is_queued` tells whether a
    task id belongs to a queued or running task; without it only running tasks can be cancelled.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.is_queued: Callable[[str], bool] | None = None
        self._changed = threading.Condition()
        self._rev = 0
        self._pause: Mode | None = None
        self._drain: Reason | None = None
        self._abort: Reason | None = None
        self._cancelled: set[str] = set()
        self._held = 0
        self._finished = False
        self._progress = _ProgressState()
        self._began = time.monotonic()

    def note(self, event: Event) -> None:
        """Update the progress by an event of the run."""
        with self._changed:
            self._progress.note(event)
            if event.type in ENDS:
                self._cancelled.discard(event.task or "")
            if event.type == "run.finished":
                self._finished = True
                self._notify()

    # Requests

    def pause(self, mode: Mode = "now") -> None:
        """Start no further task; `now` also holds the running task at its next step."""
        with self._changed:
            if self._pause != mode and not self.stopped and not self._finished:
                self._pause = mode
                self._notify()

    def resume(self) -> None:
        """End a pause of either mode."""
        with self._changed:
            if self._pause is not None:
                self._pause = None
                self._notify()

    def drain(self, reason: Reason = "drain") -> None:
        """Finish the running tasks, start no further one, then end the run; ends a pause."""
        with self._changed:
            if self._drain is None and not self.stopped and not self._finished:
                self._pause, self._drain = None, reason
                self._notify()

    def abort(self, reason: Reason = "abort") -> None:
        """Stop the running task at its next step and end the run."""
        with self._changed:
            if self._abort is None and not self._finished:
                self._pause, self._abort = None, reason
                self._notify()

    def cancel(self, task_id: str) -> bool:
        """Cancel a running or queued task; False if there is none of that id."""
        with self._changed:
            known = task_id in self._progress.running
        # Called without the lock, because it may query a database.
        if not known and not (self.is_queued and self.is_queued(task_id)):
            return False
        with self._changed:
            if task_id not in self._cancelled:
                self._cancelled.add(task_id)
                self._notify()
        return True

    def install(self) -> Callable[[], None]:
        """Handle SIGINT and SIGTERM, a second of which ends the process. Returns the undo function."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def handle(number: int, _frame: FrameType | None) -> None:
            self.signal = number
            for other in before:
                signal.signal(other, signal.SIG_DFL)

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        for number in before:
            signal.signal(number, handle)
        return restore

    # State

    @property
    def planned(self) -> int | None:
        """How many tasks the run has; None while that is not known."""
        return self._progress.planned

    def plan(self, tasks: int) -> None:
        """Set how many tasks the run has."""
        with self._changed:
            self._progress.planned = tasks

    @property
    def stopped(self) -> bool:
        """Whether running tasks must stop at their next step."""
        return self.signal is not None or self._abort is not None

    @property
    def ending(self) -> bool:
        """Whether no further task may begin, ever."""
        return self.stopped or self._drain is not None

    @property
    def reason(self) -> Reason | None:
        """Why the run ends before its work is done."""
        return "signal" if self.signal is not None else self._abort or self._drain

    @property
    def exit_code(self) -> int | None:
        """Exit code of a stopped run; None if it was not stopped."""
        if self.signal is not None:
            return 128 + self.signal
        if self._abort is None:
            return None
        return STDOUT_CLOSED if self._abort == "reader_gone" else 130

    def may_claim(self) -> bool:
        """Whether the next task may begin."""
        return not self.ending and self._pause is None

    def wait_claim(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the next task to be allowed, or for the end; whether it is."""
        self._wait(lambda: self.may_claim() or self.ending, timeout)
        return self.may_claim()

    def wait_end(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the run to end; whether it does."""
        self._wait(lambda: self.ending, timeout)
        return self.ending

    @property
    def cancelling(self) -> list[str]:
        """Ids of cancelled tasks that have not ended yet."""
        with self._changed:
            return sorted(self._cancelled)

    def stop_reason(self, task_id: str) -> StopReason | None:
        """Why a task must stop; None if it may go on."""
        if self.signal is not None:
            return "signal"
        if self._abort is not None:
            return "reader_gone" if self._abort == "reader_gone" else "abort"
        return "cancel" if task_id in self._cancelled else None

    def check(self, task_id: str) -> None:
        """Raise `Cancelled` if a task must stop."""
        if self.stop_reason(task_id):
            raise Cancelled("stopped by the user")

    def check_stopped(self) -> None:
        """Raise `Cancelled` if the run must stop."""
        if self.stopped:
            raise Cancelled("stopped by the user")

    def must_hold(self, task_id: str) -> bool:
        """Whether a running task must hold now."""
        return self._pause == "now" and self.stop_reason(task_id) is None

    def hold(self, task_id: str) -> None:
        """Wait while a task must hold."""
        with self._changed:
            self._held += 1
            self._notify()
        try:
            self._wait(lambda: not self.must_hold(task_id), None)
        finally:
            with self._changed:
                self._held -= 1
                self._notify()

    @property
    def state(self) -> State:
        """State of the run."""
        with self._changed:
            if self._finished:
                return "finished"
            if self.stopped:
                return "aborting"
            if self._pause is not None:
                holds = self._held > 0 or not self._progress.running
                return "paused" if holds else "pausing"
            return "draining" if self._drain is not None else "running"

    @property
    def rev(self) -> int:
        """Revision: counts the changes of requests and of the state."""
        return self._rev + (self.signal is not None)

    def snapshot(self) -> dict[str, Any]:
        """Status of the run as JSON values."""
        with self._changed:
            progress = self._progress
            return {
                "rev": self.rev,
                "state": self.state,
                "reason": self.reason,
                "counts": {"planned": progress.planned, "running": len(progress.running), **progress.counts},
                "task": progress.task,
                "cancelling": sorted(self._cancelled),
                "stage": progress.now.get("stage"),
                "step": progress.now.get("step"),
                "total": progress.now.get("total"),
                "fraction": progress.now.get("fraction"),
                "eta_s": progress.now.get("eta_s"),
                "uptime_s": round(time.monotonic() - self._began, 1),
            }

    def _notify(self) -> None:
        self._rev += 1
        self._changed.notify_all()

    def _wait(self, done: Callable[[], bool], timeout: float | None) -> None:
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not done():
                left = POLL_SECONDS if until is None else min(POLL_SECONDS, until - time.monotonic())
                if left <= 0:
                    return
                self._changed.wait(left)
