"""Progress of one task: reports become events at a limited rate; pause, cancel and timeout act here."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from wangp_cli.errors import TimeoutExpired
from wangp_cli.runtime.events.types import TaskPaused, TaskProgress, TaskResumed, TaskStage
from wangp_cli.runtime.run_options import SECONDS_BETWEEN
from wangp_cli.tasks.stages import RENDER_STAGES, fractions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wangp_cli.runtime.control.state import Control
    from wangp_cli.runtime.events.types import Emit
    from wangp_cli.tasks.stages import Stage, StageShare


class ProgressReporter:
    """Turns reports of pipelines and workflows into events; implements `pipelines.base.Progress`.

    Args:
        emit: where events go.
        control: checked at each report for pause and cancel.
        results: number of results, or of runs of a plan.
        stages: those of the task; a report of any other is a KeyError.
        task: the task's id.
        interval: least seconds between two progress events of a stage.
        timeout: seconds after which the task fails; pauses do not count.
    """

    def __init__(
        self,
        emit: Emit,
        control: Control,
        results: int,
        *,
        stages: Sequence[StageShare] = RENDER_STAGES,
        task: str = "",
        interval: float = SECONDS_BETWEEN,
        timeout: float | None = None,
    ) -> None:
        self._emit = emit
        self._control = control
        self._results = results
        self._spans = fractions_of(stages)
        self._labels = {stage.name: stage.label for stage in stages}
        self._task = task
        self._interval = interval
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout if timeout else math.inf
        self._result = 1
        self._stage: Stage | None = None
        self._begun = self._last = 0.0
        self._first = 0
        self._fraction = 0.0

    def begin(self, result: int) -> None:
        """Begin a result, counted from 1."""
        self._result, self._stage = result, None

    def exclude_time(self, seconds: float) -> None:
        """Exclude seconds from timeout and speed: the task was paused or another one ran."""
        self._deadline += seconds
        self._begun += seconds

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        """Report `done` of `total` steps; blocks while paused.

        Raises:
            Cancelled: the task was cancelled.
            TimeoutExpired: it took too long.
        """
        written = stage == "write" and done >= total
        # A file that is complete is announced, even if the run was stopped meanwhile.
        if not written:
            self._control.check(self._task)
        now = time.monotonic()
        if now > self._deadline and not written:
            raise TimeoutExpired(f"not done after {self._timeout:g} s", hint="--task-timeout gives more")
        if stage != self._stage:
            self._stage, self._begun, self._last, self._first = stage, now, 0.0, done
            self._emit(
                TaskStage(stage=stage, label=self._labels[stage], result=self._result, results=self._results)
            )
        if done >= total or now - self._last >= self._interval:
            self._last = now
            self._report(stage, done, total, now - self._begun)
        if not written and self._control.must_hold(self._task):
            self._hold(stage, done, total)

    def _report(self, stage: Stage, done: int, total: int, seconds: float) -> None:
        low, high = self._spans[stage]
        share = low + (high - low) * done / max(1, total)
        self._fraction = max(self._fraction, (self._result - 1 + share) / self._results)
        # Time is measured from the first report, so what was done before it does not count.
        rate = (done - self._first) / seconds if done > self._first and seconds > 0 else None
        self._emit(
            TaskProgress(
                stage=stage,
                step=done,
                total=total,
                fraction=round(min(1.0, self._fraction), 4),
                it_s=round(rate, 3) if rate else None,
                eta_s=round((total - done) / rate, 1) if rate else None,
            )
        )

    def _hold(self, stage: Stage, done: int, total: int) -> None:
        self._emit(TaskPaused(stage=stage, step=done, total=total))
        began = time.monotonic()
        self._control.hold(self._task)
        self._control.check(self._task)
        held = time.monotonic() - began
        self.exclude_time(held)
        self._emit(TaskResumed(held_s=round(held, 3)))
