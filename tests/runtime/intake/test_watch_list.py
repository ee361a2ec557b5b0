"""A watched `tasks.json` list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.watched_tasks import ids, task
from wangp_cli.errors import GenerationError
from wangp_cli.runtime.intake import Watcher


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def test_a_list_is_worked_off(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps([task(1), task(2), task(1)], indent=4))
    watcher = Watcher(file)
    first, second, third = watcher.poll()
    assert ids(watcher.poll()) == []
    watcher.done(first)
    assert read(file) == [task(2), task(1)]
    file.write_text(json.dumps([task(3), *read(file)]))
    assert ids(watcher.poll()) == ["t3"]
    watcher.failed(second, GenerationError("values are not finite"))
    watcher.done(third)
    assert read(file) == [task(3)]
    (entry,) = read(tmp_path / "tasks.failed.json")
    assert entry["task"] == task(2)
    assert entry["error"]["message"] == "values are not finite"


def test_a_wrong_item_moves_with_its_text(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_text('[{"steps": NaN}, 7]')
    watcher = Watcher(file)
    for line in watcher.poll():
        assert line.error is not None
        watcher.failed(line, line.error)
    assert read(file) == []
    assert [entry["task"] for entry in read(tmp_path / "tasks.failed.json")] == ['{"steps": NaN}', 7]


def test_an_item_of_several_tasks_leaves_with_the_last(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps([task(1) | {"prompt": "a\nb", "multi_prompts_gen_type": "G"}]))
    watcher = Watcher(file)
    first, second = watcher.poll()
    watcher.done(first)
    assert len(read(file)) == 1
    watcher.done(second)
    assert read(file) == []


def test_a_half_written_list_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    watcher = Watcher(file)
    assert ids(watcher.poll()) == []
    file.write_text(json.dumps([task(1)]))
    (line,) = watcher.poll()
    file.write_text(json.dumps([task(1), task(2)])[:-9])
    assert ids(watcher.poll()) == []
    assert watcher.problem
    watcher.done(line)
    file.write_text(json.dumps([task(1), task(2)]))
    assert ids(watcher.poll()) == ["t2"]
    assert read(file) == [task(2)]
    assert watcher.problem is None


EDITOR = """
import json, os, sys, time
from filelock import FileLock
path = sys.argv[1]
folder, name = os.path.split(path)
for number in range(40):
    with FileLock(os.path.join(folder, f".{name}.lock")):
        with open(path) as file:
            tasks = json.load(file)
        task = {"task_id": f"t{number}", "model": "starter", "prompt": f"circle {number}"}
        tasks.insert(number % (len(tasks) + 1), task)
        with open(path + ".new", "w") as file:
            json.dump(tasks, file)
        os.replace(path + ".new", path)
    time.sleep(0.001)
"""


def test_a_second_process_may_edit_the_list_at_the_same_time(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_text("[]")
    watcher = Watcher(file)
    done: list[str | None] = []
    with subprocess.Popen([sys.executable, "-c", EDITOR, str(file)]) as editor:
        while editor.poll() is None or read(file):
            for line in watcher.poll():
                done.append(line.task_id)
                if len(done) % 10 == 0:
                    watcher.failed(line, GenerationError("black"))
                else:
                    watcher.done(line)
    assert editor.returncode == 0
    assert sorted(done, key=str) == sorted((f"t{number}" for number in range(40)), key=str)
    assert len(read(tmp_path / "tasks.failed.json")) == 4
    assert [f.name for f in tmp_path.iterdir() if "partial" in f.name] == []


def test_a_broken_list_of_failures_is_set_aside_and_replaces_none(tmp_path: Path) -> None:
    file, failed = tmp_path / "tasks.json", tmp_path / "tasks.failed.json"
    watcher = Watcher(file)
    for number, broken in enumerate(("{one", "{two")):
        failed.write_text(broken)
        file.write_text(json.dumps([task(number)]))
        (line,) = watcher.poll()
        watcher.failed(line, GenerationError("black"))
        assert len(read(failed)) == 1
    assert (tmp_path / "tasks.failed.json.broken").read_text() == "{one"
    assert (tmp_path / "tasks.failed.json.broken.2").read_text() == "{two"


def test_no_link_is_written_through(tmp_path: Path) -> None:
    file, theirs = tmp_path / "tasks.json", tmp_path / "theirs"
    theirs.write_text("theirs")
    for name in ("tasks", "tasks.failed"):
        (tmp_path / f".{name}.{os.getpid()}.partial.json").symlink_to(theirs)
    file.write_text(json.dumps([task(1)]))
    watcher = Watcher(file)
    (line,) = watcher.poll()
    watcher.failed(line, GenerationError("black"))
    assert read(file) == []
    assert theirs.read_text() == "theirs"
