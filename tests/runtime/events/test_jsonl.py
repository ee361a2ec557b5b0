"""Writing lines to readers that are slow, stalled or gone, and to files."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from wangp_cli.runtime.events import jsonl
from wangp_cli.runtime.events.jsonl import JsonLines
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import Data, Heartbeat, Log, TaskProgress, TaskStarted

LONG = "x" * 3000
SMALL_PIPE = 4096


class Pipe:
    """A pipe of 4096 bytes, read when the test says so."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, SMALL_PIPE)

    def read_all(self) -> list[dict[str, Any]]:
        """Everything until the writer closes, as events."""
        with os.fdopen(self.reader, "rb") as file:
            return [json.loads(line) for line in file.read().splitlines()]

    def drain(self, lines: JsonLines) -> list[dict[str, Any]]:
        """Read while the writer finishes."""
        found: list[list[dict[str, Any]]] = []
        thread = threading.Thread(target=lambda: found.append(self.read_all()))
        thread.start()
        lines.close()
        os.close(self.writer)
        thread.join()
        return found[0]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    one = Pipe()
    yield one
    for descriptor in (one.reader, one.writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def progress(step: int) -> Data:
    return TaskProgress(stage="denoise", step=step, total=100, fraction=step / 100)


def check_numbers(events: list[dict[str, Any]], emitted: int) -> int:
    """Every event is there or counted as dropped; gives how many were dropped."""
    seq = 0
    for event in events:
        assert event["seq"] == seq + 1 + event.get("dropped", 0)
        seq = event["seq"]
    assert seq <= emitted
    return sum(event.get("dropped", 0) for event in events)


def test_lines_come_in_order_and_whole(pipe: Pipe) -> None:
    lines = JsonLines(pipe.writer)
    stream = Stream("run", [lines])
    found: list[list[dict[str, Any]]] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_all()))
    reader.start()
    for number in range(500):
        stream.emit(Log(level="info", message=f"{number} {LONG}"))
    assert lines.close()
    os.close(pipe.writer)
    reader.join()
    assert [event["seq"] for event in found[0]] == list(range(1, 501))


def test_a_stalled_reader_loses_progress_but_no_milestone(pipe: Pipe) -> None:
    lines = JsonLines(pipe.writer, limit=16)
    stream = Stream("run", [lines])
    for number in range(10):
        stream.emit(TaskStarted(), task=f"t-{number}")
        for step in range(100):
            stream.emit(progress(step), task=f"t-{number}")
    stream.emit(Heartbeat())
    events = pipe.drain(lines)
    assert [event["task"] for event in events if event["type"] == "task.started"] == [
        f"t-{n}" for n in range(10)
    ]
    assert check_numbers(events, 1011) > 500
    assert len(events) < 500


def test_of_many_progress_events_the_latest_is_kept(pipe: Pipe) -> None:
    lines = JsonLines(pipe.writer, limit=16)
    stream = Stream("run", [lines])
    for step in range(400):
        stream.emit(progress(min(step, 99)), task="t")
    stream.emit(TaskStarted(), task="end")
    events = pipe.drain(lines)
    assert events[-2]["seq"] == 400
    assert events[-1]["type"] == "task.started"


def test_milestones_wait_for_room_and_no_longer(pipe: Pipe) -> None:
    lines = JsonLines(pipe.writer, limit=8)
    stream = Stream("run", [lines])
    done = threading.Event()

    def work() -> None:
        for number in range(100):
            stream.emit(TaskStarted(), task=f"{number}-{LONG}")
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert not done.wait(0.3)
    found: list[list[dict[str, Any]]] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_all()))
    reader.start()
    assert done.wait(10)
    assert lines.close()
    os.close(pipe.writer)
    reader.join()
    assert [event["seq"] for event in found[0]] == list(range(1, 101))


def test_a_reader_that_left_is_noticed_and_frees_who_waits(pipe: Pipe) -> None:
    lines = JsonLines(pipe.writer, limit=4)
    told = threading.Event()
    lines.on_failure = told.set
    stream = Stream("run", [lines])
    done = threading.Event()

    def work() -> None:
        for number in range(50):
            stream.emit(TaskStarted(), task=f"{number}-{LONG}")
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert not done.wait(0.2)
    os.close(pipe.reader)
    assert done.wait(5)
    assert told.wait(5)
    assert lines.closed
    assert lines.reader_gone
    assert not lines.close()


def test_a_reader_that_never_reads_is_given_up(pipe: Pipe) -> None:
    lines = JsonLines(pipe.writer)
    stream = Stream("run", [lines])
    for number in range(10):
        stream.emit(TaskStarted(), task=f"{number}-{LONG}")
    began = time.monotonic()
    assert not lines.close(patience=0.3)
    assert time.monotonic() - began < 3
    assert isinstance(lines.error, TimeoutError)
    assert not lines.reader_gone


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer, False)
    lines = JsonLines(pipe.writer)
    stream = Stream("run", [lines])
    for number in range(30):
        stream.emit(TaskStarted(), task=f"{number}-{LONG}")
    assert check_numbers(pipe.drain(lines), 30) == 0


def test_a_forked_child_writes_nothing_and_does_not_hang(pipe: Pipe) -> None:
    code = """
import os, sys
from wangp_cli.runtime.events import jsonl
from wangp_cli.runtime.events.jsonl import JsonLines
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import Heartbeat
lines = JsonLines(1)
stream = Stream("run", [lines])
stream.emit(Heartbeat())
lines.flush()
child = os.fork()
if not child:
    stream.emit(Heartbeat())
    lines.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
stream.emit(Heartbeat())
lines.close()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [1, 2]
    assert done.stderr == ""


def test_a_disk_that_fills_up_stops_the_copy_and_nothing_else() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    lines = JsonLines(descriptor)
    told: list[bool] = []
    lines.on_failure = lambda: told.append(lines.closed)
    stream = Stream("run", [lines])
    for _ in range(10):
        stream.emit(TaskStarted(), task="t")
    assert not lines.close()
    os.close(descriptor)
    assert told == [True]
    assert lines.error is not None
    assert lines.error.strerror == "No space left on device"
    assert not lines.reader_gone


def test_a_stopped_run_gives_up_a_reader_that_takes_nothing(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "STOP_SECONDS", 0.3)
    monkeypatch.setattr(jsonl, "POLL_SECONDS", 0.02)
    stopped = threading.Event()
    lines = JsonLines(pipe.writer, limit=2)
    lines.stopping = stopped.is_set
    stream = Stream("run", [lines])

    def emit() -> None:
        for number in range(100):
            stream.emit(TaskStarted(), task=f"t{number}")

    thread = threading.Thread(target=emit)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive(), "a reader that is only slow is waited for"
    began = time.monotonic()
    stopped.set()
    thread.join(5)
    assert not thread.is_alive()
    assert lines.close() is False
    assert time.monotonic() - began < 2
    assert isinstance(lines.error, TimeoutError)
