"""Checksums of files and folders, and removal of those that are known by their checksum."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wangp_cli.files.open_input import is_inside, real_path

CHUNK = 1 << 22


def sha256_of(path: Path, check: Callable[[], None] | None = None) -> str:
    """The sha256 of a file, in hex; of a folder of files that of what `sha256sum *` prints in it.

    Args:
        path: of the file or folder.
        check: called again and again; what it raises ends the reading of a huge file.

    Raises:
        OSError: it cannot be read, or a folder holds anything but regular files.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        for member in sorted(path.iterdir(), key=os.fsencode):
            if not stat.S_ISREG(member.lstat().st_mode):
                raise OSError(errno.EINVAL, "it is no regular file", str(member))
            digest.update(sha256_of(member, check).encode() + b"  " + os.fsencode(member.name) + b"\n")
        return digest.hexdigest()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if check:
                check()
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_open(file: int) -> str:
    """The sha256 of the file of a descriptor, in hex."""
    with os.fdopen(os.dup(file), "rb") as content:
        content.seek(0)
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def open_regular(
    path: str | Path, flags: int = os.O_RDONLY, folder: int | None = None
) -> Iterator[int | None]:
    """Give a descriptor of a regular file; None if it cannot be opened, is a link or of another kind.

    Args:
        path: of the file.
        flags: to open it with.
        folder: descriptor of the folder that `path` is relative to.
    """
    try:
        file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        yield None
        return
    try:
        yield file if stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        os.close(file)


def bytes_of(path: Path) -> int:
    """The size of a file, or of all files of a folder."""
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size


def has_checksum(path: Path, checksums: Collection[str]) -> bool:
    """Whether a path, itself no link, is a regular file or a folder with one of these sha256."""
    if path.is_dir() and not path.is_symlink():
        with suppress(OSError):
            return sha256_of(path) in checksums
        return False
    with open_regular(path) as file:
        return file is not None and sha256_of_open(file) in checksums


def remove_with_checksum(path: Path, checksums: Collection[str], inside: Path | None = None) -> None:
    """Remove a regular file or a folder of files that has one of these sha256; anything else stays.

    Args:
        path: of the file or folder.
        checksums: of what may be removed.
        inside: a folder that it must lie in, links resolved; None for any place.
    """
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if inside and not is_inside(real_path(folder, path.parent), [inside]):
                return
            if path.is_dir():
                if has_checksum(path, checksums):
                    shutil.rmtree(path)
                return
            with open_regular(path.name, folder=folder) as file:
                if file is not None and sha256_of_open(file) in checksums:
                    remove_open(file, path.name, folder)
        finally:
            os.close(folder)


def is_name_of(name: str | Path, file: int, folder: int | None = None) -> bool:
    """Whether a name, itself no link, belongs to an open file.

    Args:
        name: a path, or a name in `folder`.
        file: descriptor of the file.
        folder: descriptor of the folder that `name` is relative to.
    """
    try:
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(os.fstat(file), facts)


def remove_open(file: int, name: str | Path, folder: int | None = None) -> None:
    """Remove the name of an open file if it is still its name; the arguments are those of `is_name_of`."""
    with suppress(OSError):
        if is_name_of(name, file, folder):
            os.unlink(name, dir_fd=folder)
