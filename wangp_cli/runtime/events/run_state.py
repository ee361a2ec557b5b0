"""State of a run for people: what is done, what runs now, and the time left, from the run's events."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wangp_cli.files.units import format_bytes

if TYPE_CHECKING:
    from wangp_cli.runtime.events.stream import Event

ENDS = ("completed", "failed", "cancelled", "rejected")
LEAST_WORK = 0.05
"""Tasks, or part of one, that must be done before the time left is estimated."""


@dataclass
class RunState:
    """What the events of a run tell about it so far.

    Attributes:
        is_batch: whether the run has many tasks, which are counted and named.
        planned: number of its tasks; None while it is not known.
        counts: ended tasks by outcome; `skipped` ones were done by an earlier run.
        task: id of the task that runs now; None between tasks.
        doing: what happens now.
    """

    clock: Callable[[], float] = time.monotonic
    is_batch: bool = False
    planned: int | None = None
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys([*ENDS, "skipped"], 0))
    task: str | None = None
    doing: str = "starting"
    _position: str = ""
    _speed: str = ""
    _stage: str = ""
    _result: str = ""
    _fractions: dict[str, float] = field(default_factory=dict)
    _task_began: dict[str, float] = field(default_factory=dict)
    _work_began: float | None = None
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin to measure the time."""
        self._began = self.clock()

    def note(self, event: Event) -> None:
        """Update the state by one event."""
        data = event.data
        match event.type:
            case "run.started":
                self.is_batch = data["command"] == "batch"
                self.planned = data["planned"]
                self._do("reading tasks" if self.is_batch else "starting")
            case "task.accepted" | "task.started" if event.task is not None:
                self._begin(event.task)
            case "task.stage":
                self._result = f" ({data['result']} of {data['results']})" if data["results"] > 1 else ""
                self.task, self._stage = event.task, data["label"]
                self._do(self._stage, self._result)
            case "task.progress":
                self.task = event.task
                self._progress(data)
            case "model.loading":
                self._do(f"loading {data['model']}")
            case "download.progress":
                self._do(f"fetching {data['file']}", _bytes_done(data))
            case "task.paused":
                self._do("paused", f" at {data['step']}/{data['total']}")
            case "task.resumed":
                self._do(self._stage, self._result)
            case "task.retrying":
                self._end(event.task)
                pause = f" in {data['delay_s']:.0f} s" if data["delay_s"] >= 1 else ""
                self._do(f"attempt {data['next_attempt']} of {event.task} follows{pause}")
            case "task.completed" | "task.failed" | "task.cancelled" | "task.rejected":
                ended = "skipped" if data.get("skipped") else event.type.removeprefix("task.")
                self.counts[ended] += 1
                self._end(event.task)

    def _begin(self, task: str) -> None:
        if task not in self._task_began:
            now = self.clock()
            self._task_began[task] = now
            self._work_began = self._work_began or now
        self.task = task
        self._do("starting")

    def _progress(self, data: dict[str, Any]) -> None:
        if self.task is not None:
            self._fractions[self.task] = data["fraction"]
        speed = f", {data['it_s']:.2f} it/s" if data["it_s"] else ""
        left = f", {duration(data['eta_s'])} left" if (data["eta_s"] or 0) >= 1 else ""
        steps = f" {data['step']}/{data['total']}" if data["total"] > 1 else ""
        self._do(self._stage, steps + self._result, speed + left)

    def _end(self, task: str | None) -> None:
        if task is not None:
            self._fractions.pop(task, None)
            self._task_began.pop(task, None)
        if task == self.task:
            self.task = None
            # Between the tasks of a batch its counts are shown.
            self._do("" if self.is_batch else "finishing")

    def _do(self, what: str, position: str = "", speed: str = "") -> None:
        self.doing, self._position, self._speed = what, position, speed

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self._began

    @property
    def fraction(self) -> float:
        """Part of the run, or of its only task, that is done, from 0 to 1."""
        if not self.planned:
            return 0.0
        return min(1.0, (sum(self.counts.values()) + sum(self._fractions.values())) / self.planned)

    def seconds_left(self) -> float | None:
        """Estimate of the time that all tasks take, from that of the work so far; None if it is too early."""
        if self.planned is None or self._work_began is None:
            return None
        ended = sum(self.counts[outcome] for outcome in ("completed", "failed", "cancelled"))
        work = ended + sum(self._fractions.values())
        left = self.planned - sum(self.counts.values()) - sum(self._fractions.values())
        if work < LEAST_WORK or left <= 0:
            return None
        return (self.clock() - self._work_began) / work * left

    def now_text(self) -> str:
        """What happens now, such as `ball 0:05: denoising 3/8, 2.00 it/s, 0:04 left`."""
        doing = f"{self.doing}{self._position}{self._speed}"
        if not self.is_batch or self.task is None:
            return doing
        began = self._task_began.get(self.task)
        since = f" {duration(self.clock() - began)}" if began is not None else ""
        return f"{self.task}{since}: {doing}"

    def summary(self) -> str:
        """How many tasks ended how, such as `2 of 5 done, 1 failed`."""
        of = f" of {self.planned}" if self.planned is not None else ""
        done = self.counts["completed"] + self.counts["skipped"]
        others = [f", {self.counts[end]} {end}" for end in ENDS[1:] if self.counts[end]]
        return f"{done}{of} done" + "".join(others)

    def head(self) -> str:
        """The summary and the time left; empty for a run of one task."""
        if not self.is_batch:
            return ""
        left = self.seconds_left()
        return self.summary() + (f", about {duration(left)} left" if left is not None else "")


def duration(seconds: float) -> str:
    """A time as minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bytes_done(data: dict[str, Any]) -> str:
    if not data["bytes_total"]:
        return ""
    return f", {format_bytes(data['bytes'])} of {format_bytes(data['bytes_total'])}"
