"""Batches that wait for tasks: a stream that grows, a list or a file that is watched."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time
from contextlib import closing, suppress
from itertools import count

import pytest

from tests.support.batches import Batches, ends
from tests.support.event_checks import check_stream


def long_task(number: int) -> bytes:
    task = {"task_id": f"t{number}", "model": "noop", "prompt": "x" * 30_000, "seed": 1}
    return json.dumps(task).encode() + b"\n"


def ends_in(lines: list[bytes]) -> int:
    return sum(json.loads(line)["type"] == "task.completed" for line in lines)


def test_a_stream_that_grows_runs_as_it_comes_and_a_stalled_reader_loses_nothing(batches: Batches) -> None:
    with batches.piped("-") as process:
        assert process.stdin
        assert process.stdout
        lines: list[bytes] = []
        for number in range(2):
            process.stdin.write(long_task(number))
            process.stdin.flush()
            while ends_in(lines) <= number:
                lines.append(process.stdout.readline())
        for number in range(2, 6):
            process.stdin.write(long_task(number))
        process.stdin.close()
        time.sleep(1)
        lines += process.stdout.read().splitlines(keepends=True)
    assert process.returncode == 0
    events = check_stream(line.decode() for line in lines)
    assert sum(event["type"] == "task.completed" for event in events) == 6


def test_a_signal_ends_a_batch_that_waits_for_lines(batches: Batches) -> None:
    with batches.piped("-") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        assert b"error" not in process.stderr.read()
    assert process.returncode == 143


def test_a_watched_list_is_worked_off_and_failures_move_beside_it(batches: Batches) -> None:
    path = batches.folder / "tasks.json"
    first = [
        {"task_id": "a", "model": "noop", "prompt": "a"},
        {"task_id": "b", "model": "noop", "prompt": "crash"},
    ]
    path.write_text(json.dumps(first))
    process = batches.start("--watch", path, "--poll-interval", 0.1)
    batches.wait_for("task.failed")
    until = time.monotonic() + 10
    while json.loads(path.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    assert json.loads(path.read_text()) == []
    failed = json.loads((batches.folder / "tasks.failed.json").read_text())
    assert [entry["task"]["task_id"] for entry in failed] == ["b"]
    path.write_text(json.dumps([{"task_id": "b2", "model": "noop", "prompt": "put right"}]))
    batches.wait_for("task.completed", 2)
    batches.control("drain")
    assert ends(batches.end(process, code=1)) == {"a": "completed", "b": "failed", "b2": "completed"}


def test_a_watched_file_of_lines_is_followed_and_known_again(batches: Batches) -> None:
    path = batches.tasks({"task_id": "a", "prompt": "a"})
    process = batches.start("--watch", path, "--poll-interval", 0.1)
    batches.wait_for("task.completed")
    with path.open("a") as file:
        file.write(json.dumps({"task_id": "b", "model": "noop", "prompt": "b"}) + "\n")
    batches.wait_for("task.completed", 2)
    batches.control("drain")
    batches.end(process)
    process = batches.start("--watch", path, "--poll-interval", 0.1)
    batches.wait_for("task.completed", 2)
    batches.control("drain")
    assert ends(batches.end(process)) == {"a": "skipped", "b": "skipped"}


@pytest.mark.slow
@pytest.mark.parametrize("order", ["given", "model"])
def test_a_stream_without_an_end_is_read_as_far_as_it_is_worked_off(order: str, batches: Batches) -> None:
    with batches.piped("-", "--order", order, "--progress-interval", "0") as process:
        stdin = process.stdin
        assert stdin
        assert process.stdout
        stopped = threading.Event()

        def write() -> None:
            line = {"model": "noop", "prompt": "sleep", "steps": 2}
            with suppress(BrokenPipeError, ValueError):
                for number in count():
                    if stopped.is_set():
                        return
                    stdin.write(json.dumps(line | {"task_id": f"t{number}"}).encode() + b"\n")

        threading.Thread(target=write, daemon=True).start()
        done = 0
        for line in process.stdout:
            done += json.loads(line)["type"] == "task.completed"
            if done == 8:
                break
        store = batches.out / ".wangp" / "batch.sqlite"
        with closing(sqlite3.connect(store)) as connection:
            rows = connection.execute("select count(*) from job").fetchone()[0]
        assert 256 <= rows <= 256 + done + 2
        process.send_signal(signal.SIGTERM)
        stopped.set()
        process.stdout.read()
        assert process.wait(20) == 143
        with suppress(BrokenPipeError):
            stdin.close()


@pytest.mark.slow
def test_one_signal_ends_a_batch_whose_reader_is_stuck(batches: Batches) -> None:
    long = {"prompt": "a", "negative_prompt": "x" * 5000}
    path = batches.tasks(*[{"task_id": f"t{n}", **long} for n in range(2000)])
    with batches.piped(path, "--progress-interval", "0") as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
        assert time.monotonic() - began < 15
