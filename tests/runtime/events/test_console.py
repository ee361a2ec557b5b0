"""Events as people see them."""

from __future__ import annotations

import io

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime.events.console import ConsoleSink
from wangp_cli.runtime.events.messages import plain
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


def test_text_is_neither_markup_nor_control_characters() -> None:
    assert plain("[bold]a\x1b[1m\u202e").plain == "[bold]a\\x1b[1m\\u202e"
