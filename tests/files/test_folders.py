"""Folders and free space."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from wangp_cli.errors import ConflictError, NoSpaceError
from wangp_cli.files.folders import check_free_space, free_bytes, make_folder, nearest_existing, open_folder


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


def test_a_folder_is_opened_below_another_however_both_are_spelled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for inside, folder in (("real", "link/a"), ("link", "real/b"), ("link", "link/c/d"), ("real", "real")):
        opened = open_folder(tmp_path / folder, tmp_path / inside)
        assert os.path.samestat(os.fstat(opened), (tmp_path / folder).stat())
        os.close(opened)
    with pytest.raises(ConflictError, match="leads out"):
        open_folder(tmp_path / "elsewhere", tmp_path / "real")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_of_ours_is_never_a_link(tmp_path: Path) -> None:
    (tmp_path / ".wangp-work").symlink_to(tmp_path)
    with pytest.raises(OSError, match=r"Not a directory|Too many"):
        open_folder(tmp_path / ".wangp-work")
