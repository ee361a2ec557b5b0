"""Batches whose store, inputs or folders are changed between admission and the run."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.batches import Batches, ends
from wangp_cli.files.checksum import sha256_of
from wangp_cli.media.stills import write_image

SIZE = {"size": "32x32", "frames": 1, "steps": 2, "seed": 1}
SLOW = SIZE | {"task_id": "a", "prompt": "sleep", "steps": 60}
B = SIZE | {"task_id": "b", "prompt": "b"}


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture where no batch may read or write."""
    folder = tmp_path_factory.mktemp("outside")
    write_image(folder / "in.png", np.zeros((32, 32, 3), np.float32))
    return folder


def edit(batches: Batches, layer: str, values: dict[str, Any], files: list[Path]) -> None:
    """Make a killed job of `b`, with further values in a layer, and files that it claims to have written."""
    with sqlite3.connect(batches.out / ".wangp" / "batch.sqlite") as connection:
        [(text,)] = connection.execute("SELECT payload FROM job WHERE task_id = 'b'").fetchall()
        payload = json.loads(text)
        next(each for each in payload["layers"] if each["kind"] == layer)["values"].update(values)
        owned = [{"path": str(file), "sha256": sha256_of(file)} for file in files]
        connection.execute(
            "UPDATE job SET state = 'ready', result = NULL, token = 3, payload = ?, files = ?"
            " WHERE task_id = 'b'",
            (json.dumps(payload), json.dumps(owned)),
        )


@pytest.mark.parametrize(("layer", "strict"), [("flag", ()), ("line", ("--untrusted",))])
def test_edited_rows_delete_and_write_nothing_elsewhere(
    batches: Batches, outside: Path, layer: str, strict: tuple[str, ...]
) -> None:
    batches.run(batches.tasks(B))
    (batches.out / "link").symlink_to(outside)
    place = {"output_dir": str(outside / "new"), "output": None, "overwrite": False}
    edit(batches, layer, place, [outside / "in.png", batches.out / "link" / "in.png"])
    assert ends(batches.run("--resume", *strict, code=1)) == {"b": "rejected"}
    assert [path.name for path in outside.iterdir()] == ["in.png"]


def test_an_edited_row_reads_nothing_elsewhere(batches: Batches, outside: Path) -> None:
    batches.run(batches.tasks(B))
    (batches.out / "b.png").unlink()
    edit(batches, "line", {"image_start": str(outside / "in.png")}, [])
    assert ends(batches.run("--resume", code=1)) == {"b": "rejected"}
    edit(batches, "line", {"image_start": None}, [])
    edit(batches, "flag", {"image_start": str(outside / "in.png")}, [])
    assert ends(batches.run("--resume", "--untrusted", code=1)) == {"b": "rejected"}
    # What a flag of this run names is trusted.
    result = batches.run("--resume", "--untrusted", "--image-start", outside / "in.png")
    assert ends(result) == {"b": "completed"}


def test_a_folder_that_becomes_a_link_is_not_written_through(batches: Batches, outside: Path) -> None:
    process = batches.start(batches.tasks(SLOW, B | {"output_dir": "deep"}))
    batches.wait_for("task.progress")
    (batches.out / "deep").symlink_to(outside)
    assert ends(batches.end(process, code=1)) == {"a": "completed", "b": "rejected"}
    assert [path.name for path in outside.iterdir()] == ["in.png"]


def test_an_input_that_becomes_a_link_is_not_read(batches: Batches, outside: Path) -> None:
    batches.out.mkdir()
    picture = Path(shutil.copy(outside / "in.png", batches.out / "in.png"))
    process = batches.start(batches.tasks(SLOW, B | {"image_start": "results/in.png"}), "--untrusted")
    batches.wait_for("task.progress")
    picture.unlink()
    picture.symlink_to(outside / "in.png")
    assert ends(batches.end(process, code=1)) == {"a": "completed", "b": "rejected"}


def test_private_copies_of_untrusted_inputs_are_named_as_given(batches: Batches, outside: Path) -> None:
    batches.out.mkdir()
    shutil.copy(outside / "in.png", batches.out / "in.png")
    result = batches.run(batches.tasks(B | {"image_start": "results/in.png"}), "--untrusted")
    assert ends(result) == {"b": "completed"}
    [line] = batches.history()
    assert line["request"]["image_start"] == "in.png"
    assert line["inputs"]["checksums"] == {"in.png": sha256_of(outside / "in.png")}
    home = Path(batches.environment["HOME"])
    assert not list(home.rglob("inputs-*"))


def test_a_folder_whose_name_is_no_utf_8_serves_as_well(batches: Batches) -> None:
    batches.out = Path(os.fsdecode(bytes(batches.folder) + b"/caf\xe9"))
    tasks = batches.tasks(B)
    assert ends(batches.run(tasks)) == {"b": "completed"}
    assert ends(batches.run(tasks, "--resume")) == {"b": "skipped"}
    [line] = batches.history()
    assert line["output_dir"] == str(batches.out)
