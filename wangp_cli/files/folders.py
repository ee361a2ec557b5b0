"""Folders: make them durably, find the part of a path that exists, and ask for free space."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from wangp_cli.errors import NoSpaceError
from wangp_cli.files.units import format_bytes


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, so that a power cut does not lose them.

    Raises:
        OSError: it cannot be made, or a file has its name.
    """
    missing = [place for place in (folder, *folder.parents) if not place.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk.

    Raises:
        OSError: it cannot be opened, or the disk fails.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def nearest_existing(path: Path) -> Path:
    """The path itself, or its nearest parent that exists; a broken link counts as existing."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def free_bytes(path: Path) -> int:
    """Free bytes of the disk that a path lies on, or will lie on when it is made."""
    return shutil.disk_usage(nearest_existing(path)).free


def check_free_space(
    folder: Path, needed: int, *, spare: int = 0, field: str | None = None, hint: str | None = None
) -> None:
    """Check that files fit on the disk of a folder, before any is written.

    Args:
        folder: where they go; it need not exist yet.
        needed: bytes still to be written; nothing is checked if there are none.
        spare: further bytes that must stay free.
        field: that named the folder.
        hint: where else they could go.

    Raises:
        NoSpaceError: naming what is free and what is needed.
    """
    existing, free = nearest_existing(folder), free_bytes(folder)
    if needed and free < needed + spare:
        named = f"{field}: " if field else ""
        raise NoSpaceError(
            f"{named}{existing} has {format_bytes(free)} free, {format_bytes(needed)} are needed", hint=hint
        )
