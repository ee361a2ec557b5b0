"""The state of a run on a terminal, and where there is none."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from rich.text import Text

from tests.support.terminals import Terminal, screen
from wangp_cli.runtime.events import display
from wangp_cli.runtime.events.display import Display
from wangp_cli.runtime.events.run_state import RunState
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import RunStarted, TaskAccepted, TaskProgress, TaskStage


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Terminal]]:
    """Make a terminal this process's stderr; called in the test, because pytest replaces stderr before it."""
    with ExitStack() as files:

        def call(columns: int = 80, term: str = "xterm") -> Terminal:
            opened = Terminal(columns)
            monkeypatch.setenv("TERM", term)
            monkeypatch.delenv("COLUMNS", raising=False)
            stderr = files.enter_context(os.fdopen(opened.slave, "w", closefd=False))
            monkeypatch.setattr(sys, "stderr", stderr)
            return opened

        yield call


def state_of_a_batch(planned: int | None = 4) -> RunState:
    """A batch that runs a task."""
    state = RunState(
        is_batch=True, planned=planned, task="a-task-of-a-very-long-name-" * 4, doing="denoising"
    )
    state.counts["completed"] = 1
    return state


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_are_redrawn_in_place_and_erased(width: int, open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(width)
    state = state_of_a_batch()
    shown = Display(state)
    assert shown.live
    shown.start()
    terminal.wait_for("1 of 4 done")
    state.counts["failed"] = 1
    terminal.wait_for("1 of 4 done, 1 failed")
    head, now = terminal.screen()
    assert now.startswith("a-task-of-a-very-long")
    assert max(len(head), len(now)) < width
    shown.print(Text("a line that stays"))
    with shown.aside():
        os.write(terminal.slave, b"a path\r\n")
    terminal.wait_for("a path")
    shown.stop()
    assert terminal.close() == ["a line that stays", "a path"]
    assert "\x1b[?25l" not in terminal.text(), "a killed process could not show the cursor again"


def test_a_narrower_window_gets_shorter_lines(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    shown = Display(state_of_a_batch())
    shown.start()
    terminal.wait_for("a-task-of-a-very-long-name-a-task")
    terminal.resize(50)
    time.sleep(2 * display.REDRAW_SECONDS)
    assert max(map(len, terminal.screen())) < 50
    shown.stop()
    terminal.close()


def test_one_line_leaves_the_cursor_behind_it_for_another_program(
    open_terminal: Callable[..., Terminal],
) -> None:
    terminal = open_terminal()
    shown = Display(state_of_a_batch(), one_line=True)
    shown.start()
    terminal.wait_for("1 of 4 done")
    assert "\n" not in terminal.text()
    shown.stop()
    assert terminal.close() == []


@pytest.mark.parametrize("name", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_plain_lines(name: str, open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(term=name)
    shown = Display(RunState())
    shown.start()
    shown.stop()
    assert terminal.close() == ["0:00: starting"]
    assert "\x1b" not in terminal.text()


def test_without_a_terminal_a_plain_line_comes_at_once_and_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(display, "REDRAW_SECONDS", 0.01)
    monkeypatch.setattr(display, "PLAIN_SECONDS", 0.1)
    with os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        state = state_of_a_batch()
        shown = Display(state, request=lambda: "paused")
        shown.start()
        time.sleep(0.35)
        shown.stop()
    with os.fdopen(reader) as lines:
        text = lines.read().splitlines()
    assert 2 <= len(text) <= 4
    assert all(line.startswith("0:0") and line.endswith("denoising; paused") for line in text)


def test_a_pipe_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    monkeypatch.setattr(display, "PLAIN_SECONDS", 0.0)
    with os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        shown = Display(RunState())
        shown.start()
        shown.stop()
    os.close(reader)


def test_a_pipe_whose_reader_left_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stderr = io.TextIOWrapper(os.fdopen(writer, "wb", buffering=0), write_through=True)
    monkeypatch.setattr(sys, "stderr", stderr)
    shown = Display(RunState())
    shown.start()
    shown.print(Text("nobody reads this"))
    shown.stop()


def test_the_screen_of_tests_is_what_a_terminal_shows() -> None:
    assert screen("one\r\ntwo\r\n\x1b[1A\x1b[2Kthree\x1b[31m!\x1b[0m\r\n") == ["one", "three!"]


def test_events_of_many_tasks_are_noted_while_lines_are_redrawn(
    open_terminal: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "REDRAW_SECONDS", 0.001)
    terminal = open_terminal()
    state = RunState()
    shown = Display(state)
    stream = Stream("run", [shown.note])
    shown.start()
    stream.emit(RunStarted(version="1", command="batch", host="h", pid=1, planned=300))
    for number in range(300):
        task = f"t{number}"
        stream.emit(TaskAccepted(request={}, origin={}), task=task)
        stream.emit(TaskStage(stage="denoise", label="denoising", result=1, results=1), task=task)
        stream.emit(TaskProgress(stage="denoise", step=1, total=2, fraction=0.5), task=task)
    assert shown._thread is not None
    assert shown._thread.is_alive()
    shown.stop()
    terminal.close()
