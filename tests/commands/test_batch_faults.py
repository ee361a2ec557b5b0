"""Batches that are killed, stopped, steered, stalled, or run out of room."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.batches import Batches, ends
from tests.support.malformed_lines import malformed

SLEEP = {"prompt": "sleep", "seed": 1, "steps": 3}


def check_exactly_once(batches: Batches, names: set[str], completed: list[str], killed: int) -> None:
    """Every task is done once: one file, one line of success, at most one announcement."""
    assert batches.files() == sorted(f"{name}.png" for name in names)
    done = [line["task_id"] for line in batches.history(killed=killed) if line["status"] == "success"]
    assert sorted(done) == sorted(names)
    assert len(completed) == len(set(completed))


NOTHING = {"prompt": "a", "steps": 1}


def kill_and_resume(
    batches: Batches, kills: int, chance: random.Random, task: dict[str, object] = NOTHING, count: int = 12
) -> None:
    names = {f"t{number}" for number in range(count)}
    path = batches.tasks(*[{"task_id": name} | task for name in sorted(names)])
    arguments: list[object] = [path]
    completed: list[str] = []
    for _ in range(kills):
        process = batches.start(*arguments)
        batches.wait_for("run.started")
        time.sleep(chance.uniform(0, 0.02 * count if task == NOTHING else 4))
        process.kill()
        process.join()
        result = batches.result(-9 if process.exitcode else 0)
        completed += [name for name, end in ends(result).items() if end == "completed"]
        arguments = [path, "--resume"]
    result = batches.run(*arguments)
    completed += [name for name, end in ends(result).items() if end == "completed"]
    assert set(ends(result)) == names
    check_exactly_once(batches, names, completed, kills)
    assert set(ends(batches.run(path, "--resume")).values()) == {"skipped"}


def test_a_killed_batch_resumes_and_does_each_task_once(batches: Batches) -> None:
    kill_and_resume(batches, 5, random.Random(1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_batches_killed_again_and_again_resume(batches: Batches, seed: int) -> None:
    kill_and_resume(batches, 5, random.Random(100 + seed))


@pytest.mark.slow
def test_batches_of_the_starter_killed_again_and_again_resume(batches: Batches) -> None:
    batches.real = True
    task: dict[str, object] = {"model": "starter", "prompt": "a red circle", "frames": 1}
    kill_and_resume(batches, 3, random.Random(3), task, count=4)


def killed(batches: Batches, *lines: dict[str, object], event: str = "task.started") -> Path:
    """A file of tasks whose batch was killed at an event."""
    path = batches.tasks(*lines)
    process = batches.start(path)
    batches.wait_for(event)
    process.kill()
    process.join()
    return path


@pytest.mark.parametrize("with_file", [True, False])
@pytest.mark.parametrize("mode", ["embed", "sidecar"])
def test_a_file_that_appeared_under_a_killed_task_s_name_is_kept(
    batches: Batches, mode: str, *, with_file: bool
) -> None:
    path = killed(batches, {"task_id": "t0", **SLEEP, "steps": 500, "metadata_mode": mode})
    theirs = batches.out / ("t0.png" if mode == "embed" else "t0.json")
    theirs.write_text("theirs")
    result = batches.run(*([path] if with_file else []), "--resume", code=1)
    assert result.only("task.rejected")["error"]["kind"] == "conflict"
    assert theirs.read_text() == "theirs"
    assert batches.files() == [theirs.name]


def test_files_of_a_store_without_checksums_are_kept(batches: Batches) -> None:
    path = killed(batches, {"task_id": "t0", **SLEEP, "steps": 500})
    with closing(sqlite3.connect(batches.out / ".wangp" / "batch.sqlite")) as store, store:
        store.execute("update job set files = ?", [json.dumps([str(batches.out / "t0.png")])])
    (batches.out / "t0.png").write_text("theirs")
    batches.run(path, "--resume", code=1)
    assert (batches.out / "t0.png").read_text() == "theirs"


def test_the_history_of_another_request_does_not_make_a_task_done(batches: Batches) -> None:
    path = killed(batches, {"task_id": "t0", **SLEEP, "steps": 200})
    other = batches.folder / "other"
    other.mkdir()
    foreign = batches.beside(other)
    foreign.out = other / "results"
    foreign.run(foreign.tasks({"task_id": "t0", "prompt": "b", "seed": 2}))
    foreign.close()
    (batches.out / "manifests").mkdir(exist_ok=True)
    with (batches.out / "manifests" / "run_history.jsonl").open("a") as history:
        history.write(json.dumps(foreign.history()[0]) + "\n")
    assert ends(batches.run(path, "--resume")) == {"t0": "completed"}
    assert batches.files() == ["t0.png"]


def test_a_batch_without_its_file_resumes_from_the_store(batches: Batches) -> None:
    path = batches.tasks(*[{"task_id": f"t{n}", **SLEEP} for n in range(4)])
    process = batches.start(path)
    batches.wait_for("task.completed")
    process.kill()
    process.join()
    path.unlink()
    found = ends(batches.run("--resume"))
    assert len(found) == 4
    assert set(found.values()) == {"skipped", "completed"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_batch_that_can_be_resumed(batches: Batches, number: int, code: int) -> None:
    path = batches.tasks(*[{"task_id": f"t{n}", **SLEEP, "steps": 20} for n in range(3)])
    process = batches.start(path)
    batches.wait_for("task.progress", 3)
    os.kill(process.pid or 0, number)
    result = batches.end(process, code=code)
    assert ends(result) == {"t0": "cancelled"}
    assert result.only("task.cancelled")["reason"] == "signal"
    assert batches.files() == []
    assert ends(batches.run("--resume")) == dict.fromkeys(("t0", "t1", "t2"), "completed")


@pytest.mark.parametrize("order", ["given", "phase"])
def test_a_running_and_a_waiting_task_can_be_cancelled(batches: Batches, order: str) -> None:
    path = batches.tasks(*[{"task_id": f"t{n}", **SLEEP, "steps": 20} for n in range(3)])
    process = batches.start(path, "--order", order)
    batches.wait_for("task.progress", 3)
    batches.control("cancel", id="t2")
    batches.control("cancel", id="t0")
    result = batches.end(process, code=1)
    assert ends(result) == {"t0": "cancelled", "t1": "completed", "t2": "cancelled"}
    assert batches.files() == ["t1.png"]


def test_a_paused_batch_claims_nothing_until_it_is_resumed(batches: Batches) -> None:
    process = batches.start(batches.tasks(*[{"task_id": f"t{n}", **SLEEP} for n in range(3)]))
    batches.wait_for("task.started")
    batches.control("pause", mode="drain")
    batches.wait_for("task.completed")
    time.sleep(0.4)
    events = batches.wait_for("task.completed")
    assert batches.control("status")["state"] == "paused"
    assert sum(event["type"] == "task.started" for event in events) < 3
    batches.control("resume")
    assert len(ends(batches.end(process))) == 3


@pytest.mark.parametrize(("method", "code", "end"), [("drain", 0, "completed"), ("abort", 130, "cancelled")])
def test_drain_and_abort_leave_the_rest_ready(batches: Batches, method: str, code: int, end: str) -> None:
    process = batches.start(batches.tasks(*[{"task_id": f"t{n}", **SLEEP, "steps": 20} for n in range(3)]))
    batches.wait_for("task.progress", 3)
    batches.control(method)
    assert ends(batches.end(process, code=code)) == {"t0": end}
    assert set(ends(batches.run("--resume"))) == {"t0", "t1", "t2"}


def test_a_full_disk_stops_the_batch_and_leaves_the_rest_ready(batches: Batches) -> None:
    small = {"prompt": "a", "metadata_mode": "sidecar"}
    big = {"task_id": "big", "prompt": "noise", "size": "1024x1024"}
    path = batches.tasks({"task_id": "t0", **small}, big, {"task_id": "t1", **small})
    result = batches.run(path, limit=1_500_000, code=4)
    assert ends(result) == {"t0": "completed", "big": "failed"}
    assert result.only("task.failed")["error"]["kind"] == "no_space"
    assert batches.files() == ["t0.json", "t0.png"]
    again = ends(batches.run(path, "--resume"))
    assert again == {"t0": "skipped", "big": "completed", "t1": "completed"}


@pytest.mark.parametrize("limit", [1400, 40_000, 60_000])
def test_a_store_without_room_ends_the_run_and_loses_nothing(batches: Batches, limit: int) -> None:
    path = batches.tasks(*[{"task_id": f"t{n}", "prompt": "a"} for n in range(12)])
    batches.run(path, limit=limit, code=4)
    again = ends(batches.run(path, "--resume"))
    assert len(again) == 12
    assert set(again.values()) <= {"completed", "skipped"}
    assert batches.files() == sorted(f"t{n}.png" for n in range(12))


@pytest.mark.parametrize("place", ["file", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_told_at_once(batches: Batches, place: str) -> None:
    (batches.folder / "file").touch()
    batches.out = batches.folder / place
    process = batches.start(batches.tasks({"prompt": "a"}))
    process.join(30)
    assert process.exitcode in (2, 4)
    assert "error: " in (batches.folder / "err").read_text()


def test_an_events_file_that_is_a_file_of_tasks_is_refused_and_kept(batches: Batches) -> None:
    path = batches.tasks({"prompt": "a"}, '{"model": "noop", "prompt": "without an end"}')
    path.write_bytes(before := path.read_bytes().rstrip(b"\n"))
    (link := batches.folder / "events.jsonl").symlink_to(path)
    other = batches.tasks({"prompt": "b"}, name="other.jsonl")
    for arguments in (
        (path, "--events-file", path),
        (path, "--events-file", link),
        (other, "--events-file", path),
        (other, "--events-file", batches.folder / "out"),
    ):
        result = batches.run(*arguments, code=2)
        assert "events_file" in result.stderr
        assert result.events == []
    assert path.read_bytes() == before
    assert not batches.out.exists()


@pytest.mark.parametrize(
    ("place", "events"),
    [
        ("new.jsonl", "new.jsonl"),
        ("new.json", "link"),
        ("new.json", "new.failed.json"),
        ("folder", "folder/events.jsonl"),
        ("folder", "inside"),
    ],
)
def test_an_events_file_that_is_watched_is_refused(batches: Batches, place: str, events: str) -> None:
    (batches.folder / "folder").mkdir()
    (batches.folder / "link").symlink_to("new.json")
    (batches.folder / "inside").write_text("")
    (batches.folder / "folder" / "tasks.jsonl").symlink_to(batches.folder / "inside")
    result = batches.run("--watch", place, "--events-file", events, code=2)
    assert "events_file" in result.stderr
    assert not (batches.folder / events).exists() or events == "inside"


@pytest.mark.parametrize("events", ["a.txt", "b.png"])
def test_an_events_file_among_pictures_is_refused_if_it_would_be_read(batches: Batches, events: str) -> None:
    folder = batches.folder / "pictures"
    folder.mkdir()
    (folder / "a.png").touch()
    assert (
        "events_file" in batches.run("--each-image", folder, "--events-file", folder / events, code=2).stderr
    )
    assert [file.name for file in folder.iterdir()] == ["a.png"]
    batches.run("--each-image", folder, "--events-file", folder / "events.jsonl", "--model", "noop", code=1)


def test_an_events_file_that_the_batch_writes_otherwise_is_refused(batches: Batches) -> None:
    path = batches.tasks({"task_id": "t", "prompt": "a", "overwrite": True})
    for name in ("manifests/run_history.jsonl", ".wangp/batch.sqlite"):
        assert "events_file" in batches.run(path, "--events-file", batches.out / name, code=2).stderr
    other = ("--manifest-path", "history", "--events-file", "history")
    assert "events_file" in batches.run(path, *other, code=2).stderr
    result = batches.run(path, "--events-file", batches.out / "t.png", code=1)
    assert "events_file" in result.only("task.rejected")["error"]["message"]
    assert (batches.out / "t.png").read_text() == result.stdout
    batches.run(path, "--events-file", batches.out / "events.jsonl")


def test_malformed_lines_are_rejected_one_by_one(batches: Batches) -> None:
    bad = malformed()
    assert len(bad) >= 200
    good = json.dumps({"model": "noop", "prompt": "a", "seed": 1}).encode()
    texts = [one.text.replace(b'"starter"', b'"noop"') for one in bad]
    # A good line after every tenth: 10 bad ones, then number 11.
    numbers = [place + place // 10 + 1 for place in range(len(bad))]
    path = batches.folder / "tasks.jsonl"
    with path.open("wb") as file:
        for place, text in enumerate(texts):
            file.write(text + b"\n" + (good + b"\n" if place % 10 == 9 else b""))
    before = {path for path in batches.folder.iterdir() if path.is_dir()}
    result = batches.run(path, code=1)
    rejected = {
        event["data"]["line"]: event["data"]["error"]["message"]
        for event in result.events
        if event["type"] == "task.rejected"
    }
    missing = [one for place, one in enumerate(bad) if numbers[place] not in rejected]
    assert missing == []
    wrong = [
        (one.reason, rejected[numbers[place]])
        for place, one in enumerate(bad)
        if one.reason not in rejected[numbers[place]].lower()
    ]
    assert wrong == []
    assert sum(end == "completed" for end in ends(result).values()) == len(bad) // 10
    assert len(batches.files()) == len(bad) // 10
    assert {path for path in batches.folder.iterdir() if path.is_dir()} == before | {batches.out}


def test_a_reader_that_goes_away_ends_the_batch_after_its_task(batches: Batches) -> None:
    path = batches.tasks(*[{"task_id": f"t{n}", **SLEEP} for n in range(10)])
    with batches.piped(path) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["type"] == "run.started"
        process.stdout.close()
        assert b"error" not in process.stderr.read()
    assert process.returncode == 141
    # With the file, because the run may have ended before all lines were read.
    assert len(ends(batches.run(path, "--resume"))) == 10
