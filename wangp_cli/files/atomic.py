"""Files that are either complete or not there, and the run history."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from wangp_cli.errors import ConflictError, NoSpaceError

PARTIAL = re.compile(r"\..*\.[0-9a-f]{32}\.partial(\.\w+)?", re.DOTALL)
"""Names of partial files."""


@contextmanager
def complete_file(
    path: Path, *, overwrite: bool, own: Callable[[Path, str], None] | None = None
) -> Iterator[Path]:
    """Give a hidden partial file to write; on success it is made durable and takes its final name.

    The partial file has a random name and is locked while it is written, so that `sweep` leaves it alone.

    Args:
        path: the final name.
        overwrite: replace what is there.
        own: called with `path` and the sha256 of the complete file, before the file takes its name.

    Raises:
        ConflictError: the file appeared meanwhile and `overwrite` is off, or the partial file was replaced.
        NoSpaceError: the disk is full or the folder cannot be written.
    """
    try:
        with ExitStack() as opened:
            folder, file, name = _begin(path, opened)
            yield path.with_name(name)
            os.fsync(file)
            if not _is_named(file, name, folder):
                raise ConflictError(f"output: the partial file of {path} was replaced", hint="run it again")
            if own:
                own(path, checksum_of(file))
            _take_name(name, path.name, folder, overwrite=overwrite)
            os.fsync(folder)
    except FileExistsError:
        raise ConflictError(f"output: {path} exists", hint="--overwrite replaces it") from None
    except OSError as error:
        raise disk_error(error, path) from None


def _begin(path: Path, opened: ExitStack, tries: int = 100) -> tuple[int, int, str]:
    """Create and lock a partial file in the folder of `path`.

    Another run may remove the folder while it is empty, and the file until it is locked.

    Args:
        path: the final name.
        opened: closes the descriptors and removes the partial file.

    Returns:
        descriptors of the folder and of the partial file, and its name.
    """
    for left in reversed(range(tries)):
        path.parent.mkdir(parents=True, exist_ok=True)
        name = f".{_short_stem(path)}.{secrets.token_hex(16)}.partial{path.suffix}"
        with ExitStack() as stack, suppress(*([FileNotFoundError] if left else [])):
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, folder)
            file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=folder)
            stack.callback(os.close, file)
            stack.callback(_remove_named, file, name, folder)
            lock(file, wait=True)
            if _is_named(file, name, folder):
                opened.push(stack.pop_all())
                return folder, file, name
    raise FileNotFoundError(errno.ENOENT, "its folder is removed again and again", str(path.parent))


def _short_stem(path: Path) -> str:
    return path.stem.encode(errors="surrogateescape")[:80].decode(errors="ignore")


def _take_name(partial: str, name: str, folder: int, *, overwrite: bool) -> None:
    """Rename in a folder; raises FileExistsError where the name is taken and may not be replaced."""
    if not overwrite:
        try:
            os.link(partial, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:
            # Some file systems have no hard links.
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder))
        else:
            return
    os.replace(partial, name, src_dir_fd=folder, dst_dir_fd=folder)


def lock(file: int, *, wait: bool = False) -> bool | None:
    """Lock an open file until it is closed.

    Returns:
        True if it is locked, False if another has it, None where the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_named(file: int, name: str | Path, folder: int | None = None) -> bool:
    """Whether a name, no link, still belongs to the open file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(os.fstat(file), found)


def _remove_named(file: int, name: str | Path, folder: int | None = None) -> None:
    with suppress(OSError):
        if _is_named(file, name, folder):
            os.unlink(name, dir_fd=folder)


def checksum_of(file: int) -> str:
    """The sha256 of an open file, in hex."""
    with os.fdopen(os.dup(file), "rb") as content:
        content.seek(0)
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def opened_regular(path: Path, flags: int = os.O_RDONLY) -> Iterator[int | None]:
    """A descriptor of a regular file; None if it cannot be opened, is of another kind, or a link."""
    try:
        file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield None
        return
    try:
        yield file if stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        os.close(file)


def is_owned(path: Path, checksums: Collection[str]) -> bool:
    """Whether a regular file has one of these sha256."""
    with opened_regular(path) as file:
        return file is not None and checksum_of(file) in checksums


def remove_owned(path: Path, checksums: Collection[str]) -> None:
    """Remove a regular file that has one of these sha256."""
    with opened_regular(path) as file:
        if file is not None and checksum_of(file) in checksums:
            _remove_named(file, path)


def disk_error(error: OSError, path: Path) -> Exception:
    """The clear form of an OS error met while writing `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NoSpaceError(
            f"output: the disk of {path.parent} is full", hint="free some space, or use --output-dir"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT):
        return NoSpaceError(
            f"output: {path.parent} cannot be written", hint="--output-dir picks another folder"
        )
    if error.errno == errno.ELOOP:
        return ConflictError(f"output: {path} is a link", hint="remove it")
    return error


def sweep(folder: Path) -> None:
    """Remove partial files that nobody writes any more: those that can be locked."""
    for path in folder.glob(".*.partial*"):
        if PARTIAL.fullmatch(path.name):
            with opened_regular(path, os.O_RDWR) as file:
                if file is not None and lock(file):
                    _remove_named(file, path)
