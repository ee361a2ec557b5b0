"""Files and folders that are watched for tasks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.watched_tasks import ids, task
from wangp_cli.errors import RequestError
from wangp_cli.runtime.intake import TaskLine, Watcher


def test_a_pipe_is_not_watched(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tasks.jsonl")
    with pytest.raises(RequestError, match="only once"):
        Watcher(tmp_path / "tasks.jsonl")
    assert ids(Watcher(tmp_path).poll()) == []


def test_lines_of_a_growing_file_come_when_complete(tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    watcher = Watcher(file)
    assert ids(watcher.poll()) == []
    file.write_text(json.dumps(task(1)) + "\n# note\n" + json.dumps(task(2)))
    assert ids(watcher.poll()) == ["t1"]
    with file.open("a") as opened:
        opened.write("\nnonsense\n")
    second, third = watcher.poll()
    assert (second.task_id, second.number) == ("t2", 3)
    assert third.error is not None
    assert ids(watcher.poll()) == []
    file.write_text(json.dumps(task(9)) + "\n")
    assert ids(watcher.poll()) == ["t9"]


def test_each_file_of_a_folder_comes_once(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    (tmp_path / "b.json").write_text(json.dumps(task(1), indent=2))
    (tmp_path / "a.jsonl").write_text(json.dumps(task(2)) + "\n")
    (tmp_path / "c.json").write_text('{"half": ')
    (tmp_path / "x.failed.json").write_text("[7]")
    assert ids(watcher.poll()) == ["t2", "t1"]
    assert "c.json" in str(watcher.problem)
    (tmp_path / "c.json").write_text(json.dumps([task(3), task(4)]))
    assert ids(watcher.poll()) == ["t3", "t4"]
    (tmp_path / "b.json").touch()
    assert ids(watcher.poll()) == []


def test_waiting_ends_when_told(tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps(task(1)) + "\n")
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 2

    found: list[TaskLine] = list(Watcher(file, 0.5).lines(wait))
    assert ids(found) == ["t1"]
    assert waits == [0.5, 0.5]
