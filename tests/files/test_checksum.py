"""Checksums of files, and removal of files that are known by their checksum."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from wangp_cli.files.checksum import bytes_of, has_checksum, remove_with_checksum, sha256_of


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ours")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"ours").hexdigest()
    assert has_checksum(tmp_path / "a", [sha256_of(tmp_path / "a")])
    assert not has_checksum(tmp_path / "a", [hashlib.sha256(b"theirs").hexdigest()])
    assert not has_checksum(tmp_path / "none", [])


@pytest.mark.parametrize("kind", ["ours", "changed", "link", "folder", "pipe"])
def test_only_what_has_our_content_is_removed(tmp_path: Path, kind: str) -> None:
    path, ours = tmp_path / "a.txt", [hashlib.sha256(b"ours").hexdigest()]
    match kind:
        case "link":
            (tmp_path / "elsewhere").write_text("ours")
            path.symlink_to(tmp_path / "elsewhere")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.write_text(kind)
    remove_with_checksum(path, ours)
    assert os.path.lexists(path) == (kind != "ours")


def test_the_sum_of_a_huge_file_can_be_given_up(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    asked: list[int] = []

    def stop() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sha256_of(tmp_path / "huge", stop)


def test_a_folder_is_known_by_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in ("b", "a", "B"):
        (folder / name).write_text(name)
    listing = subprocess.run(
        "sha256sum *", shell=True, cwd=folder, env={"LC_ALL": "C"}, capture_output=True, check=True
    ).stdout
    known = sha256_of(folder)
    assert known == hashlib.sha256(listing).hexdigest()
    assert bytes_of(folder) == 3
    (folder / "a").write_text("changed")
    assert not has_checksum(folder, [known])
    remove_with_checksum(folder, [known])
    assert folder.exists()
    (folder / "a").write_text("a")
    remove_with_checksum(folder, [known], inside=tmp_path / "elsewhere")
    assert has_checksum(folder, [known])
    remove_with_checksum(folder, [known], inside=tmp_path)
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_folder_of_other_things_than_files_is_not_ours(tmp_path: Path, kind: str) -> None:
    folder, other = tmp_path / "frames", tmp_path / "theirs"
    folder.mkdir()
    known = sha256_of(folder)
    if kind == "link":
        other.write_text("theirs")
        (folder / "a").symlink_to(other)
    else:
        (folder / "a").mkdir()
    with pytest.raises(OSError, match="no regular file"):
        sha256_of(folder)
    assert not has_checksum(folder, [known])
    (tmp_path / "link").symlink_to(folder)
    assert not has_checksum(tmp_path / "link", [known])
