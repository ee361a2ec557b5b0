"""Events as people see them."""

from __future__ import annotations

import io

import pytest

from tests.conftest import Make
from tests.support.task_types import TASK_TYPES
from wangp_cli.errors import RequestError
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.console import ConsoleSink
from wangp_cli.runtime.events.run_state import RunState
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import (
    ArtifactCreated,
    Data,
    Fault,
    Log,
    RunFinished,
    RunStarted,
    TaskCancelled,
    TaskFailed,
    TaskProgress,
    TaskRejected,
    TaskRetrying,
    TaskStage,
    TaskStarted,
)

EVENTS: list[Data] = [
    TaskStarted(),
    TaskStage(stage="denoise", label="denoising", result=1, results=2),
    TaskProgress(stage="denoise", step=1, total=4, fraction=0.2, it_s=2.0, eta_s=3.0),
    Log(level="info", message="size: put on the grid"),
    Log(level="info", message="a library says this", logger="diffusers"),
    ArtifactCreated.model_validate({"path": "/out/a.mp4", "sha256": "0" * 64, "bytes": 1}),
    TaskFailed(error=Fault.of(RequestError("mask", "1 frame\x1b[2J", hint="cut [it]"))),
    TaskCancelled(),
]


def shown(capfd: pytest.CaptureFixture[str], *, quiet: bool) -> tuple[str, list[str]]:
    """What events print: the text for paths, and the lines on stderr."""
    paths = io.StringIO()
    stream = Stream("run", [ConsoleSink(paths, quiet=quiet)])
    for event in EVENTS:
        stream.emit(event, task="t")
    return paths.getvalue(), capfd.readouterr().err.splitlines()


def test_paths_notices_errors_and_hints_are_printed_and_libraries_are_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    paths, lines = shown(capfd, quiet=False)
    assert paths == "/out/a.mp4\n"
    assert lines == [
        "note: size: put on the grid",
        "error: mask: 1 frame\\x1b[2J",
        "hint: cut [it]",
        "stopped",
    ]


def test_quiet_keeps_paths_and_errors(capfd: pytest.CaptureFixture[str]) -> None:
    paths, lines = shown(capfd, quiet=True)
    assert paths == "/out/a.mp4\n"
    assert lines[:2] == ["error: mask: 1 frame\\x1b[2J", "hint: cut [it]"]
    assert not any(line.startswith("note:") for line in lines)


@pytest.mark.parametrize("quiet", [False, True])
def test_a_batch_names_its_tasks_and_ends_with_a_summary(
    quiet: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    sink = ConsoleSink(None, quiet=quiet)
    stream = Stream("run", [sink])
    stream.emit(RunStarted(version="1", command="batch", host="h", pid=1))
    for task in ("a", "b"):
        stream.emit(Log(level="info", message="size: put on the grid"), task=task)
    stream.emit(Log(level="warning", message="the latents are not kept", logger="wangp_cli.x"), task="a")
    fault = Fault.of(RequestError("line 7", "not JSON", hint="see"))
    stream.emit(TaskRejected(line=7, error=fault), task="c")
    stream.emit(TaskRejected(line=8, error=Fault.of(RequestError("model", "there is none"))))
    stream.emit(TaskRetrying(error=fault, next_attempt=2, change="profile 3"), task="b")
    stream.emit(TaskFailed(error=fault), task="b")
    stream.emit(RunFinished(counts={}, exit_code=1))
    errors = [
        "rejected: c: line 7: not JSON",
        "hint: see",
        "rejected: line 8: model: there is none",
        "failed: b: line 7: not JSON",
        "hint: see",
    ]
    notices = ["note: a: size: put on the grid", "note: a: the latents are not kept"]
    retrying = ["note: b: line 7: not JSON; tried again with profile 3"]
    everything = [*notices, *errors[:3], *retrying, *errors[3:], "0 done, 1 failed, 2 rejected in 0:00"]
    assert capfd.readouterr().err.splitlines() == (errors if quiet else everything)


def test_nothing_is_printed_where_the_terminal_has_the_events(capfd: pytest.CaptureFixture[str]) -> None:
    sink = ConsoleSink(None, hidden=True)
    sink.start()
    stream = Stream("run", [sink])
    for event in EVENTS:
        stream.emit(event, task="t")
    sink.close()
    assert capfd.readouterr() == ("", "")


def test_the_console_shows_what_is_asked_of_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    control = Control()
    sink = ConsoleSink(None)
    sink.attach(control)
    control.abort()
    sink.start()
    sink.close()
    assert "0:00: starting; stops after this step" in capfd.readouterr().err


def test_the_console_names_a_stage_as_the_task_does(make: Make) -> None:
    made = make(type="enhanced", enhance=True, frames=5, steps=1, tasks=TASK_TYPES)
    state, texts = RunState(), set()
    for event in made.events:
        state.note(event)
        texts.add(state.doing)
    assert {"enhancing the prompt", "denoising"} <= texts
