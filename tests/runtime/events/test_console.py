"""Events as people see them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.conftest import Make
from tests.support.task_types import TASK_TYPES
from wangp_cli.errors import RequestError
from wangp_cli.runtime.events import console
from wangp_cli.runtime.events.console import ConsoleSink
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import (
    ArtifactCreated,
    Data,
    Fault,
    Log,
    TaskCancelled,
    TaskFailed,
    TaskProgress,
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


def test_the_console_names_a_stage_as_the_task_does(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(type="enhanced", enhance=True, frames=5, steps=1, tasks=TASK_TYPES)
    screen = io.StringIO()
    monkeypatch.setattr(
        console, "stderr_console", lambda: Console(file=screen, force_terminal=True, width=100)
    )
    sink = console.ConsoleSink(io.StringIO())
    for event in made.events:
        sink(event)
    assert "enhancing the prompt" in screen.getvalue()
    assert "denoising" in screen.getvalue()
