"""Scratch folders of processes."""

from __future__ import annotations

import gc
from pathlib import Path

from wangp_cli.runtime.workspace.scratch import LOCK, Scratch


def test_a_sweep_removes_abandoned_folders_and_nothing_else(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    mine = scratch.folder()
    abandoned, unlocked, other = tmp_path / ("a" * 32), tmp_path / ("b" * 32), tmp_path / "other"
    for folder in (abandoned, unlocked, other):
        folder.mkdir()
    (abandoned / LOCK).touch()
    (other / LOCK).touch()
    (tmp_path / ("c" * 32)).symlink_to(other)
    Scratch(tmp_path).sweep()
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, unlocked.name, "other", "c" * 32}
    assert scratch.folder() == mine


def test_a_folder_is_made_when_it_is_needed_and_removed_at_the_end(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "work")
    assert not (tmp_path / "work").exists()
    folder = scratch.folder()
    assert folder.is_dir()
    del scratch
    gc.collect()
    assert not folder.exists()
