"""Input files are regular, inside the allowed folders and of a limited size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wangp_cli.files.open_input import open_input, read_input


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_input(tmp_path / "a", 3, [tmp_path]) == b"abc"
    with pytest.raises(OSError, match="more than 2 bytes"):
        read_input(tmp_path / "a", 2)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "descriptor"])
def test_only_regular_files_are_opened_and_nothing_waits(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "descriptor":
            path = Path(f"/dev/fd/{os.open('/dev/null', os.O_RDONLY)}")
    with pytest.raises(OSError, match="no regular file"):
        read_input(path, 100)


def test_links_are_followed_inside_the_roots_only(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "rooted"
    for folder in (root / "deep", outside):
        folder.mkdir(parents=True)
        (folder / "a").write_bytes(b"abc")
    (root / "in").symlink_to(root / "deep" / "a")
    (root / "out").symlink_to(outside / "a")
    (root / "folder").symlink_to(outside)
    (tmp_path / "link").symlink_to(root)
    assert read_input(root / "in", 9, [tmp_path / "link"]) == b"abc"
    assert read_input(tmp_path / "link" / "deep" / "a", 9, [root]) == b"abc"
    for path in (root / "out", root / "folder" / "a", root / ".." / "rooted" / "a"):
        with pytest.raises(OSError, match="leads out"):
            read_input(path, 9, [root])
    assert read_input(root / "out", 9) == b"abc"


def test_what_is_checked_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"mine")
    with open_input(path, [tmp_path]) as content:
        path.unlink()
        path.symlink_to("/etc/passwd")
        assert content.read() == b"mine"
