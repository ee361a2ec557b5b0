"""Folders that are filled over several runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from wangp_cli.errors import ConflictError
from wangp_cli.files.atomic_folder import atomic_folder


class StoppedError(Exception):
    """An interruption."""


def fill(target: Path, name: str, *, content: str = "a", stop: bool = False, replace: bool = False) -> Path:
    """Write one file into the partial folder of `target`; gives that folder."""
    with (
        suppress(StoppedError),
        atomic_folder(target, marker="marker", content=content, may_replace=lambda _: replace) as partial,
    ):
        (partial / "part").mkdir(exist_ok=True)
        (partial / "part" / name).write_text(name)
        if stop:
            raise StoppedError
    return partial


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_an_interrupted_folder_is_gone_on_with_and_has_its_name_at_the_end(tmp_path: Path) -> None:
    first = fill(tmp_path / "made", "one", stop=True)
    (first / "part" / f".x.{0:032x}.partial").write_text("of a killed process")
    assert not (tmp_path / "made").exists()
    assert fill(tmp_path / "made", "two") == first
    assert names(tmp_path / "made") == {"marker", "one", "two"}
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_what_was_begun_of_something_else_is_removed(tmp_path: Path) -> None:
    first = fill(tmp_path / "made", "one", content="a", stop=True)
    fill(tmp_path / "made", "two", content="b")
    assert not first.exists()
    assert names(tmp_path / "made") == {"marker", "two"}


def test_a_folder_that_another_run_fills_is_left_to_it(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "made", marker="marker", content="a", may_replace=lambda _: False) as one:
        other = fill(tmp_path / "made", "two", stop=True)
        assert other != one
        fill(tmp_path / "made", "three", content="b", stop=True)
        assert one.is_dir()
    assert names(tmp_path / "made") == {"marker"}


def test_folders_of_others_are_kept_whatever_their_names(tmp_path: Path) -> None:
    theirs = [tmp_path / ".made.part", tmp_path / ".made.1.partial", tmp_path / f".made2.{0:032x}.partial"]
    for folder in theirs:
        folder.mkdir()
        (folder / "notes").write_text("theirs")
    link = tmp_path / f".made.{0:032x}.partial"
    link.symlink_to(theirs[0])
    fill(tmp_path / "made", "one")
    assert all(names(folder) == {"notes"} for folder in theirs)
    assert link.is_symlink()


def test_only_what_may_be_replaced_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").write_text("old")
    with pytest.raises(ConflictError, match="exists"):
        fill(tmp_path / "made", "one")
    assert names(tmp_path / "made") == {"old"}
    fill(tmp_path / "made", "two", replace=True)
    assert names(tmp_path / "made") == {"marker", "one", "two"}
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
