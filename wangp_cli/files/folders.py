"""Folders: make them durably, find the part of a path that exists, and ask for free space."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from wangp_cli.errors import ConflictError, NoSpaceError
from wangp_cli.files.open_input import is_inside, real_path
from wangp_cli.files.units import format_bytes

OWN_FOLDERS = (".wangp",)
"""Beginnings of names of folders that only this program makes."""


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, so that a power cut does not lose them.

    Raises:
        OSError: it cannot be made, or a file has its name.
    """
    missing = [place for place in (folder, *folder.parents) if not place.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        sync_folder(place.parent)


def open_folder(folder: Path, inside: Path | None = None) -> int:
    """Create a folder and its missing parents, and open it; what is done by its descriptor stays in it.

    Args:
        folder: absolute; folders of our own names are never links.
        inside: a folder that it must lie in, links resolved; None for any place.

    Raises:
        ConflictError: it leads out of `inside` through a link.
        OSError: it cannot be made or opened.
    """
    own = os.O_NOFOLLOW if folder.name.startswith(OWN_FOLDERS) else 0
    if inside is None:
        make_folder(folder)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | own)
    make_folder(inside)
    opened = os.open(inside, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Folder by folder, so that none is made outside, whoever puts links there meanwhile.
        for part in _parts_below(folder, inside):
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=opened)
                os.fsync(opened)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY, dir_fd=opened)
            os.close(opened)
            opened = below
            if not is_inside(real_path(opened, folder), [inside]):
                raise _leads_out(folder, inside)
    except BaseException:
        os.close(opened)
        raise
    return opened


def _parts_below(folder: Path, inside: Path) -> tuple[str, ...]:
    """The names that lead from one folder to another, which may be spelled through other links."""
    if not folder.is_relative_to(inside):
        folder, inside = folder.resolve(), inside.resolve()
    if not folder.is_relative_to(inside):
        raise _leads_out(folder, inside)
    return folder.relative_to(inside).parts


def _leads_out(folder: Path, inside: Path) -> ConflictError:
    return ConflictError(f"output: {folder} leads out of {inside} through a link", hint="remove it")


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
