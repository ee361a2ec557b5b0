"""Writing lines to readers that are slow, stalled or gone, and to files."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import ConflictError, NoSpaceError, RequestError
from wangp_cli.runtime.events.events_file import open_events_file
from wangp_cli.runtime.events.jsonl import JsonLines
from wangp_cli.runtime.events.stream import Event, Stream
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


def test_a_file_is_appended_to_and_brought_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    path = tmp_path / "new" / "events.jsonl"
    for run in ("one", "two"):
        descriptor = open_events_file(path)
        lines = JsonLines(descriptor, durable=True)
        Stream(run, [lines]).emit(TaskStarted(), task="t")
        assert lines.close()
        os.close(descriptor)
    assert [json.loads(line)["run"] for line in path.read_text().splitlines()] == ["one", "two"]
    # The folder of the new file, and the file itself at the end of each run.
    assert synced == [tmp_path, path, path]


EVENT = '{"v":1,"type":"heartbeat","seq":1,"ts":"t","run":"r","data":{}}\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (EVENT + '{"b":', EVENT),
        (EVENT, EVENT),
        (EVENT[:20], ""),
        ("", ""),
        (EVENT + "y" * 200_000, EVENT),
    ],
)
def test_a_torn_last_line_is_removed(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(before)
    os.close(open_events_file(path))
    assert path.read_text() == after


@pytest.mark.parametrize("form", [Event.line, partial(Event.cloud_line, host="here")])
def test_a_log_of_either_form_goes_on(tmp_path: Path, form: Callable[[Event], str]) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        descriptor = open_events_file(path)
        lines = JsonLines(descriptor, form=form)
        Stream("run", [lines]).emit(Heartbeat())
        assert lines.close()
        os.close(descriptor)
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "before",
    [
        b'{"model": "starter"}',
        b'{"prompt": "a"}\n{"prompt": "b"}',
        b"\0\0\0\x20ftypisom",
        b"\n",
        b"{",
        b'{"v":1,"type":"' + b"[" * 100_000 + b"\n",
        b'{"v":1,"type":"other"}\nno event of ours',
        b'{"v":1,"type":"other"\ntorn',
        b'{"specversion":"1.0","id":"1","type":"com.other"}\ntorn',
    ],
)
@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_a_file_of_something_else_is_refused_and_kept(
    tmp_path: Path, before: bytes, link: Callable[[Path, Path], None] | None
) -> None:
    path = name = tmp_path / "file"
    path.write_bytes(before)
    if link:
        link(path, name := tmp_path / "events.jsonl")
    with pytest.raises(RequestError, match=r"events_file: .* holds something else"):
        open_events_file(name)
    assert path.read_bytes() == before


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(RequestError, match=r"events_file: .* is not a file"):
            open_events_file(path)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_file_that_the_run_uses_is_refused_by_any_name(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "in").mkdir()
    used, name = tmp_path / "in" / "tasks.jsonl", tmp_path / "events.jsonl"
    used.write_text("")
    link(used, name)
    for path, other in ((name, used), (used, name), (name, used.parent), (used, used.parent)):
        with pytest.raises(RequestError, match=r"events_file: .* which this run uses"):
            open_events_file(path, [tmp_path / "none", other])
    with pytest.raises(RequestError, match="which this run uses"):
        open_events_file(tmp_path / "in" / "new", [used.parent])
    with pytest.raises(RequestError, match="which this run uses"):
        open_events_file(tmp_path / "in" / ".." / "new", [tmp_path / "new"])
    assert not (tmp_path / "in" / "new").exists()
    os.close(open_events_file(tmp_path / "new", [used, used.parent]))


def test_a_file_that_cannot_be_written_is_a_clear_error_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoSpaceError, match="cannot be written"):
        open_events_file(tmp_path / "file" / "events.jsonl")
    with pytest.raises(RequestError, match="is not a file"):
        open_events_file(tmp_path)
    held = open_events_file(tmp_path / "events.jsonl")
    with pytest.raises(ConflictError, match="another run"):
        open_events_file(tmp_path / "events.jsonl")
    os.close(held)
    monkeypatch.setattr("wangp_cli.runtime.events.events_file.LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(NoSpaceError, match="full"):
        open_events_file(tmp_path / "events.jsonl")


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
