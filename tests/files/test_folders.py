"""Folders and free space."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from wangp_cli.errors import NoSpaceError
from wangp_cli.files.folders import check_free_space, free_bytes, make_folder, nearest_existing


def test_folders_are_made_with_their_parents_and_may_be_there(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_the_nearest_existing_folder_of_a_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert nearest_existing(tmp_path / "a" / "b") == tmp_path
    assert nearest_existing(tmp_path / "link" / "a") == tmp_path / "link"
    assert free_bytes(tmp_path / "a") == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


def test_too_little_room_is_told_with_both_amounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 9 * 10**9, 10**9))
    check_free_space(tmp_path, 10**9)
    check_free_space(tmp_path, 0, spare=10**10)
    with pytest.raises(NoSpaceError) as told:
        check_free_space(tmp_path / "new", 10**9, spare=1, field="output_dir", hint="another")
    assert told.value.message == f"output_dir: {tmp_path} has 1.0 GB free, 1.0 GB are needed"
    assert told.value.hint == "another"
