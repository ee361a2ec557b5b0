"""Progress of one task: from stages and steps to events, at a bearable rate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wangp_cli.errors import Cancelled
from wangp_cli.runtime.events import TaskProgress, TaskStage

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Stage
    from wangp_cli.runtime.events import Emit
    from wangp_cli.runtime.session import Stop

SPANS: dict[str, tuple[float, float]] = {
    "load": (0.0, 0.1),
    "encode": (0.1, 0.15),
    "denoise": (0.15, 0.85),
    "decode": (0.85, 0.95),
    "write": (0.95, 1.0),
}
"""The share of one result that each stage takes, for the overall fraction."""
SECONDS_BETWEEN = 0.5


class Meter:
    """The `Progress` that pipelines and workflows report to.

    Args:
        emit: where events go.
        stop: checked at each report.
        results: how many results the task makes.
    """

    def __init__(self, emit: Emit, stop: Stop, results: int) -> None:
        self._emit = emit
        self._stop = stop
        self._results = results
        self._result = 1
        self._stage: Stage | None = None
        self._begun = self._last = 0.0
        self._fraction = 0.0

    def begin(self, result: int) -> None:
        """The next result, counted from 1."""
        self._result, self._stage = result, None

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        """Report; raises `Cancelled` if the user asked to stop."""
        if self._stop:
            raise Cancelled("stopped by the user")
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._begun, self._last = stage, now, 0.0
            self._emit(TaskStage(stage=stage, result=self._result, results=self._results))
        if done < total and now - self._last < SECONDS_BETWEEN:
            return
        self._last = now
        low, high = SPANS[stage]
        share = low + (high - low) * done / max(1, total)
        self._fraction = max(self._fraction, (self._result - 1 + share) / self._results)
        seconds = now - self._begun
        rate = done / seconds if done and seconds > 0 else None
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
