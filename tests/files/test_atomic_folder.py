"""Folders that are filled over several runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from wangp_cli.errors import ConflictError
from wangp_cli.files.atomic_folder import atomic_folder, new_folder
from wangp_cli.files.checksum import sha256_of


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


def test_a_new_folder_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    told: list[tuple[Path, str]] = []
    target = tmp_path / "made" / "frames"
    with new_folder(
        target, may_replace=lambda _: False, before_rename=lambda *told_of: told.append(told_of)
    ) as partial:
        (partial / "one").write_text("1")
        assert not target.exists()
    assert names(target) == {"one"}
    assert told == [(target, sha256_of(target))]
    assert [path.name for path in target.parent.iterdir()] == ["frames"]


def test_a_new_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with suppress(StoppedError), new_folder(tmp_path / "frames", may_replace=lambda _: False) as partial:
        (partial / "one").write_text("1")
        raise StoppedError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_only_replaced_where_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "theirs").touch()
    with pytest.raises(ConflictError), new_folder(tmp_path / "frames", may_replace=lambda _: False) as new:
        (new / "ours").touch()
    assert names(tmp_path / "frames") == {"theirs"}
    with new_folder(tmp_path / "frames", may_replace=lambda _: True) as new:
        (new / "ours").touch()
    assert names(tmp_path / "frames") == {"ours"}


def test_what_killed_runs_left_of_a_new_folder_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".frames.{0:032x}.partial"
    left.mkdir()
    (left / "one").touch()
    with new_folder(tmp_path / "frames", may_replace=lambda _: True) as held:
        assert not left.exists()
        with new_folder(tmp_path / "frames", may_replace=lambda _: True):
            assert held.is_dir()


def test_a_new_folder_does_not_lead_out_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ConflictError, match="leads out"),
        new_folder(
            tmp_path / "root" / "link" / "frames", may_replace=lambda _: True, inside=tmp_path / "root"
        ),
    ):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []
