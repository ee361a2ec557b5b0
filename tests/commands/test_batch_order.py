"""Which tasks of a batch run, and in which order."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.support.batches import Batches, ends
from wangp_cli.media.stills import read_image

A, B, C = ({"task_id": name, "prompt": f"a {name}", "seed": 3} for name in "abc")


def test_a_model_is_loaded_once(batches: Batches) -> None:
    result = batches.run(batches.tasks(A, B, C))
    assert [event["task"] for event in result.events if event["type"] == "model.loading"] == ["a"]


def test_order_model_switches_least(batches: Batches) -> None:
    lines: list[dict[str, object]] = [
        A,
        B | {"model": "noop2"},
        C,
        {"task_id": "d", "prompt": "d", "model": "noop2"},
    ]
    result = batches.run(batches.tasks(*lines), "--order", "model")
    assert list(ends(result)) == ["a", "c", "b", "d"]
    assert sum(event["type"] == "model.loading" for event in result.events) == 2


def test_phases_give_the_same_pixels_in_another_order(batches: Batches) -> None:
    lines = [
        A,
        B | {"count": 2},
        C | {"prompt": "crash"},
        {"task_id": "d", "prompt": "d", "seed": 4, "model": "noop2"},
    ]
    path = batches.tasks(*lines)
    batches.run(path, code=1)
    first = batches.out.rename(batches.folder / "first")
    result = batches.run(path, "--order", "phase", "--phase-group", 3, code=1)
    assert ends(result) == {"a": "completed", "b": "completed", "c": "failed", "d": "completed"}
    stages = [
        (event["task"], event["data"]["stage"]) for event in result.events if event["type"] == "task.stage"
    ]
    assert stages[:5] == [
        ("a", "encode"),
        ("b", "encode"),
        ("c", "encode"),
        ("a", "denoise"),
        ("b", "denoise"),
    ]
    for name in batches.files():
        same = [
            hashlib.sha256(read_image(folder / name).tobytes()).digest() for folder in (first, batches.out)
        ]
        assert same[0] == same[1]


def test_limit_and_only_and_shards_choose(batches: Batches) -> None:
    path = batches.tasks(A, B, C, C | {"task_id": "d"})
    assert list(ends(batches.run(path, "--limit", 1))) == ["a"]
    assert ends(batches.run(path, "--resume", "--only", "c")) == {"c": "completed"}
    assert ends(batches.run(path, "--resume", "--only", "x", code=1)) == {"x": "rejected"}
    assert list(ends(batches.run(path, "--resume", "--only", "d", "--only", "b"))) == ["d", "b"]
    assert set(ends(batches.run(path, "--resume")).values()) == {"skipped"}


def test_shards_share_a_folder_at_the_same_time(batches: Batches, tmp_path: Path) -> None:
    line = {"prompt": "sleep", "seed": 1, "steps": 3}
    path = batches.tasks(*[line] * 7)
    others = []
    for shard in (1, 2):
        folder = tmp_path / str(shard)
        folder.mkdir()
        other = batches.beside(folder)
        others.append((other, other.start(path, "--shard", f"{shard}/2")))
    found = [ends(other.end(process)) for other, process in others]
    for other, _ in others:
        other.close()
    assert [len(each) for each in found] == [4, 3]
    assert len(found[0] | found[1]) == len(batches.files()) == len(batches.history()) == 7


def test_a_killed_batch_of_phases_resumes(batches: Batches) -> None:
    path = batches.tasks(*[{"task_id": f"t{n}", "prompt": "sleep", "seed": 1, "steps": 3} for n in range(4)])
    arguments = [path, "--order", "phase"]
    process = batches.start(*arguments)
    batches.wait_for("artifact.created", 2)
    process.kill()
    process.join()
    found = ends(batches.run(*arguments, "--resume"))
    assert len(found) == 4
    assert set(found.values()) <= {"completed", "skipped"}
    assert len(batches.files()) == len(batches.history(killed=1)) == 4
