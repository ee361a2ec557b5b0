"""The work folder beside results."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from wangp_cli.errors import ConflictError
from wangp_cli.files.locks import lock
from wangp_cli.runtime.workspace.segments_cache import (
    FOLDER,
    IGNORED_FIELDS,
    MAX_AGE_SECONDS,
    store_seed,
    sweep_work,
)
from wangp_cli.tasks.generate import Generate


def test_a_seed_is_not_written_through_a_link(tmp_path: Path) -> None:
    task = Generate(model="starter", prompt="a", seed=7)
    store_seed(task, tmp_path).close()
    [file] = tmp_path.iterdir()
    file.rename(tmp_path / "theirs")
    file.symlink_to(tmp_path / "theirs")
    with pytest.raises(ConflictError, match="is a link"):
        store_seed(task.replace(seed=8), tmp_path)
    assert (tmp_path / "theirs").read_text() == "7"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work folder."""
    (tmp_path / FOLDER).mkdir()
    return tmp_path / FOLDER


def age(path: Path, seconds: float = MAX_AGE_SECONDS + 60) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_old_files_of_ours_are_removed_and_new_ones_kept(work: Path) -> None:
    for name in (f"{0:064x}.npy", f"{0:064x}.npz", f"{0:064x}.seed", f"{0:032x}.guide"):
        (work / name).write_text("old")
        age(work / name)
    save_file({}, work / "task-1.safetensors", metadata={"wangp": "{}"})
    age(work / "task-1.safetensors")
    (work / f"{1:064x}.npy").write_text("new")
    sweep_work(work.parent)
    assert [path.name for path in work.iterdir()] == [f"{1:064x}.npy"]


def test_old_files_of_others_are_kept(work: Path) -> None:
    theirs = ["notes.txt", "take.npy", "theirs-1.safetensors", f"{0:064x}"]
    for name in theirs:
        (work / name).write_text("theirs")
    save_file({}, work / "weights.safetensors")
    (work / f"{1:064x}.npy").symlink_to(work / "notes.txt")
    (work / f"{2:064x}.npy").mkdir()
    for path in work.iterdir():
        age(path)
    before = sorted(work.iterdir())
    sweep_work(work.parent)
    assert sorted(work.iterdir()) == before


def test_an_old_file_that_a_run_has_locked_is_kept(work: Path) -> None:
    seed = work / f"{0:064x}.seed"
    seed.write_text("7")
    age(seed)
    with seed.open("rb") as file:
        assert lock(file.fileno())
        sweep_work(work.parent)
        assert seed.exists()
    sweep_work(work.parent)
    assert not work.exists()


def test_a_work_folder_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    old = tmp_path / "theirs" / f"{0:064x}.npy"
    old.write_text("old")
    age(old)
    (tmp_path / FOLDER).symlink_to(tmp_path / "theirs")
    sweep_work(tmp_path)
    assert old.exists()


def test_a_seed_is_found_whatever_the_order_of_the_fields(tmp_path: Path) -> None:
    task = Generate(model="starter", prompt="a", seed=7)
    left_out = {"seed", *IGNORED_FIELDS}
    values = {name: value for name, value in task.model_dump(mode="json").items() if name not in left_out}
    text = json.dumps(dict(reversed(values.items())), sort_keys=True)
    with store_seed(task, tmp_path) as file:
        assert Path(file.name).stem == hashlib.sha256(text.encode()).hexdigest()
