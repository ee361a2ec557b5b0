"""Progress of one task: its events, and where it pauses or stops."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Make
from tests.support.control import complete, start
from tests.support.event_checks import check_stream
from tests.support.task_types import TASK_TYPES
from wangp_cli.errors import Cancelled
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import RunFinished, RunStarted
from wangp_cli.runtime.progress import ProgressReporter


class Steps:
    """A task of 200 steps that computes a number from the one before."""

    def __init__(self, control: Control) -> None:
        self.lines: list[str] = []
        self.stream = Stream("run", [control.note, lambda event: self.lines.append(event.line())])
        self.progress = ProgressReporter(
            lambda data: self.stream.emit(data, task="t"), control, 1, task="t", interval=0
        )
        self.value = 1.0
        self.stream.emit(RunStarted(version="1", command="generate", host="here", pid=1))

    def run(self) -> float:
        start(self.stream, "t")
        for step in range(200):
            self.value = (self.value * 1.0001 + step) % 1.7
            self.progress("denoise", step + 1, 200)
        return self.value

    def finish(self) -> list[dict[str, Any]]:
        complete(self.stream, "t")
        self.stream.emit(RunFinished(counts=self.stream.counts, exit_code=0))
        return check_stream(self.lines)


def test_a_task_paused_between_steps_ends_as_if_it_never_was() -> None:
    control = Control()
    steps = Steps(control)
    control.pause()
    thread = threading.Thread(target=steps.run)
    thread.start()
    for _ in range(5):
        wait_for(lambda: control.state == "paused")
        assert control.snapshot()["task"] == "t"
        held = steps.value
        time.sleep(0.02)
        assert steps.value == held
        control.resume()
        control.pause()
    control.resume()
    thread.join(10)
    events = steps.finish()
    kinds = [event["type"] for event in events]
    assert kinds.count("task.paused") == kinds.count("task.resumed") >= 1
    assert steps.value == Steps(Control()).run()


@pytest.mark.parametrize(("wish", "why"), [("abort", "abort"), ("cancel", "cancel")])
def test_a_paused_task_can_be_stopped(wish: str, why: str) -> None:
    control = Control()
    steps = Steps(control)
    control.pause()
    caught: list[str | None] = []

    def work() -> None:
        try:
            steps.run()
        except Cancelled:
            caught.append(control.stop_reason("t"))

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: control.state == "paused")
    if wish == "cancel":
        assert control.cancel("t")
    else:
        control.abort()
    thread.join(5)
    assert caught == [why]
    assert json.loads(steps.lines[-1])["type"] == "task.paused"


def test_a_complete_file_is_announced_whatever_was_wished_for() -> None:
    control = Control()
    steps = Steps(control)
    control.abort()
    steps.progress("write", 9, 9)
    with pytest.raises(Cancelled):
        steps.progress("write", 8, 9)


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


def test_a_stage_of_its_own_has_a_share_of_the_progress(make: Make, tmp_path: Path) -> None:
    made = make(type="enhanced", enhance=True, frames=5, steps=1, tasks=TASK_TYPES)
    stages = [
        (event.data["stage"], event.data["label"]) for event in made.events if event.type == "task.stage"
    ]
    assert stages[0] == ("prepare", "enhancing the prompt")
    prepared = [
        event.data["fraction"]
        for event in made.events
        if event.type == "task.progress" and event.data["stage"] == "prepare"
    ]
    # 25 parts of 125.
    assert prepared[-1] == 0.2
    assert made.events[-1].type == "task.completed"
