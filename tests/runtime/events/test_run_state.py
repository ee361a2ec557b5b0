"""What people are told of a run, from its events."""

from __future__ import annotations

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime.events.run_state import RunState, duration
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import (
    Data,
    DownloadProgress,
    Fault,
    ModelLoading,
    RunStarted,
    TaskAccepted,
    TaskCompleted,
    TaskFailed,
    TaskPaused,
    TaskProgress,
    TaskRejected,
    TaskResumed,
    TaskRetrying,
    TaskStage,
)

FAULT = Fault.of(RequestError("mask", "1 frame"))
STAGE = TaskStage(stage="denoise", label="denoising", result=1, results=1)
HALF = TaskProgress(stage="denoise", step=4, total=8, fraction=0.5, it_s=2.0, eta_s=62.0)


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def after(*events: tuple[Data, str | None], command: str = "batch", planned: int | None = None) -> RunState:
    """The state after events that come at once, 10 seconds later."""
    clock = Clock()
    state = RunState(clock=clock)
    stream = Stream("run", [state.note])
    stream.emit(RunStarted(version="1", command=command, host="h", pid=1, planned=planned))
    for data, task in events:
        stream.emit(data, task=task)
    clock.now += 10
    return state


def accepted(task: str) -> tuple[Data, str]:
    """A task begins."""
    return TaskAccepted(request={}, origin={}), task


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([], "reading tasks"),
        ([accepted("a")], "a 0:10: starting"),
        ([accepted("a"), (ModelLoading(model="starter"), "a")], "a 0:10: loading starter"),
        ([accepted("a"), (STAGE, "a"), (HALF, "a")], "a 0:10: denoising 4/8, 2.00 it/s, 1:02 left"),
        ([accepted("a"), (STAGE, "a"), (TaskPaused(stage="denoise", step=4, total=8), "a")], "paused at 4/8"),
        ([accepted("a"), (STAGE, "a"), (TaskResumed(held_s=1), "a")], "a 0:10: denoising"),
        ([(TaskRetrying(error=FAULT, next_attempt=2, delay_s=15), "a")], "attempt 2 of a follows in 15 s"),
        (
            [(DownloadProgress(file="x.png", done=0, total=1, bytes=1_000_000, bytes_total=2_000_000), None)],
            "fetching x.png, 1.0 MB of 2.0 MB",
        ),
        ([accepted("a"), (TaskCompleted(manifest={}), "a")], ""),
    ],
)
def test_it_tells_what_happens_now(events: list[tuple[Data, str | None]], text: str) -> None:
    assert after(*events).now_text().endswith(text)


def test_a_run_of_one_task_names_results_and_not_the_task() -> None:
    stage = TaskStage(stage="denoise", label="denoising", result=2, results=5)
    state = after(accepted("uuid"), (stage, "uuid"), (HALF, "uuid"), command="generate", planned=1)
    assert state.now_text() == "denoising 4/8 (2 of 5), 2.00 it/s, 1:02 left"
    assert state.head() == ""
    assert state.fraction == 0.5


def test_a_batch_counts_outcomes_and_estimates_the_time_left() -> None:
    state = after(
        accepted("a"),
        (TaskCompleted(manifest={}), "a"),
        (TaskCompleted(manifest={}, skipped=True), "b"),
        (TaskFailed(error=FAULT), "c"),
        (TaskRejected(error=FAULT), None),
        accepted("d"),
        (STAGE, "d"),
        (HALF, "d"),
    )
    assert state.summary() == "2 done, 1 failed, 1 rejected"
    assert state.head() == state.summary(), "how many are left is unknown"
    state.planned = 6
    # 2.5 tasks took 10 s; 1.5 are left. What was skipped or rejected took no time.
    assert state.head() == "2 of 6 done, 1 failed, 1 rejected, about 0:06 left"
    assert state.fraction == 0.75


def test_times_have_hours_where_there_are_any() -> None:
    assert [duration(seconds) for seconds in (0, 59.9, 61, 3600 * 25 + 62)] == [
        "0:00",
        "0:59",
        "1:01",
        "25:01:02",
    ]
