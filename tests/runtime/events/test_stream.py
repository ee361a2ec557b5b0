"""Numbering, ordering and the forms of events."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.artifacts import artifact
from tests.support.event_checks import check_event, check_stream
from wangp_cli.errors import Cancelled, OutOfMemoryError, WangpError
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.stream import Event, HeartbeatSender, Stream
from wangp_cli.runtime.events.types import (
    ArtifactCreated,
    Fault,
    Heartbeat,
    Log,
    ModelLoading,
    RunFinished,
    RunStarted,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskRejected,
    TaskRetrying,
    TaskStarted,
)
from wangp_cli.runtime.progress import ProgressReporter

End = Literal["completed", "failed", "cancelled", "rejected", "skipped"]


STAGES = (("load", 3), ("encode", 1), ("denoise", 5), ("decode", 2), ("write", 4))


STARTED = RunStarted(version="1", command="batch", host="here", pid=1)


def stream(**more: Any) -> tuple[Stream, list[Event]]:
    events: list[Event] = []
    return Stream("run", [events.append], **more), events


def finish(stream: Stream, code: int = 0, reason: str | None = None) -> None:
    stream.emit(RunFinished(counts=stream.counts, exit_code=code, reason=reason))


def play(stream: Stream, task: str, end: End, retries: int, results: int) -> None:
    """One task from its first event to its last, as `execute` does it."""
    emit = partial(stream.emit, task=task)
    fault = Fault.of(OutOfMemoryError("out of memory"))
    if end == "rejected":
        emit(TaskRejected(error=fault))
        return
    if end == "skipped":
        emit(TaskCompleted(manifest={"task_id": task, "status": "success"}, skipped=True))
        return
    emit(TaskAccepted(request={}, origin={}))
    for attempt in range(retries + 1):
        emit(TaskStarted())
        control = Control()
        progress = ProgressReporter(emit, control, results, task=task, interval=0)
        last = attempt == retries
        try:
            made = [work(progress, control, result, end if last else "failed") for result in range(results)]
        except Cancelled:
            emit(TaskCancelled())
        except WangpError as error:
            emit(
                TaskFailed(error=Fault.of(error))
                if last
                else TaskRetrying(error=Fault.of(error), next_attempt=attempt + 2)
            )
        else:
            for one in made:
                emit(one)
            artifacts = [one.model_dump(mode="json") for one in made]
            emit(TaskCompleted(manifest={"task_id": task, "status": "success", "artifacts": artifacts}))


def work(progress: ProgressReporter, control: Control, result: int, end: End) -> ArtifactCreated:
    progress.begin(result + 1)
    for stage, total in STAGES:
        for done in range(total):
            if (stage, done) == ("denoise", 3) and end == "failed":
                raise OutOfMemoryError("out of memory")
            if (stage, done) == ("denoise", 3) and end == "cancelled":
                control.abort()
            progress(stage, done + 1, total)
    return artifact(f"/made/{result}.mp4")


ENDS: Any = st.sampled_from(["completed", "failed", "cancelled", "rejected", "skipped"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ENDS, st.integers(0, 2), st.integers(1, 3)), max_size=8))
def test_every_mix_of_outcomes_makes_a_valid_stream(tasks: list[tuple[End, int, int]]) -> None:
    one, events = stream()
    one.emit(STARTED)
    for number, (end, retries, results) in enumerate(tasks):
        play(one, f"t-{number}", end, retries, results)
    finish(one)
    check_stream([event.line() for event in events])
    for end in ("completed", "failed", "cancelled", "rejected", "skipped"):
        assert one.counts[end] == sum(task[0] == end for task in tasks)


def test_tasks_of_many_threads_interleave_in_one_valid_stream() -> None:
    one, events = stream()
    one.emit(STARTED)
    ends: list[End] = ["completed", "failed", "cancelled", "completed"]
    threads = [
        threading.Thread(target=play, args=(one, f"t-{number}", end, 1, 2)) for number, end in enumerate(ends)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finish(one, 1)
    check_stream([event.line() for event in events])


def test_nothing_comes_after_the_run_is_finished() -> None:
    one, events = stream()
    finish(one)
    one.emit(Heartbeat())
    assert [event.type for event in events] == ["run.finished"]


def test_attempts_count_from_one_and_rise_at_a_retry() -> None:
    one, events = stream()
    one.emit(TaskStarted(), task="a")
    one.emit(TaskRetrying(error=Fault.of(WangpError("no")), next_attempt=2), task="a")
    one.emit(TaskStarted(), task="a")
    one.emit(TaskCancelled(), task="a")
    one.emit(TaskStarted(), task="a")
    one.emit(TaskStarted(), task="b", attempt=3)
    one.emit(ModelLoading(model="m"), task="b")
    assert [event.attempt for event in events] == [1, 1, 2, 2, 1, 3, 3]


def test_an_event_of_the_run_has_no_task_and_a_rejected_one_says_null() -> None:
    one, events = stream()
    one.emit(Heartbeat())
    one.emit(TaskRejected(line=3, error=Fault.of(WangpError("no"))))
    beat, rejected = (json.loads(event.line()) for event in events)
    assert "task" not in beat
    assert rejected["task"] is None
    assert "attempt" not in rejected
    check_event(beat)
    check_event(rejected)


def test_the_trace_of_the_environment_is_in_every_event() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    one, events = stream(trace=trace)
    one.emit(Heartbeat())
    body = json.loads(events[0].line())
    assert body["trace"] == trace
    check_event(body)
    assert json.loads(events[0].cloud_line("here"))["traceparent"] == trace


def test_a_cloud_event_has_what_the_standard_asks_for() -> None:
    one, events = stream()
    one.emit(TaskStarted(), task="t-1")
    body = json.loads(events[0].cloud_line("here"))
    assert (
        body.items()
        >= {
            "specversion": "1.0",
            "id": "run.1",
            "source": "wangp/here/run",
            "type": "io.wangp.task.started",
            "time": events[0].ts,
            "subject": "t-1",
            "data": {},
        }.items()
    )
    assert all(name.isalnum() and name == name.lower() for name in body)


@given(st.text(st.characters(codec=None), max_size=40))
def test_any_text_stays_one_line_of_ascii(text: str) -> None:
    one, events = stream()
    one.emit(Log(level="info", message=text.encode(errors="ignore").decode()))
    line = events[0].line()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["data"]["message"] == text.encode(errors="ignore").decode()


def test_a_silent_run_says_that_it_lives() -> None:
    one, events = stream()
    one.emit(STARTED)
    heartbeats = HeartbeatSender(one, seconds=0.05)
    heartbeats.start()
    time.sleep(0.3)
    heartbeats.stop()
    beats = [event for event in events if event.type == "heartbeat"]
    assert 2 <= len(beats) <= 6
    time.sleep(0.1)
    assert [event for event in events if event.type == "heartbeat"] == beats
