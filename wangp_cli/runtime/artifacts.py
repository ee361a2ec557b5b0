"""Files that are either complete or not there, and the run history."""

from __future__ import annotations

import errno
import fcntl
import glob
import json
import os
import platform
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wangp_cli.errors import ConflictError, NoSpaceError

HISTORY = Path("manifests") / "run_history.jsonl"


@contextmanager
def complete_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a hidden partial path to write; on success it is made durable and takes its final name.

    Raises:
        ConflictError: the file appeared meanwhile and `overwrite` is off.
        NoSpaceError: the disk is full or the folder cannot be written.
    """
    partial = path.with_name(f".{_short_stem(path)}.{node()}-{os.getpid()}.partial{path.suffix}")
    try:
        _begin(partial)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        if overwrite:
            partial.replace(path)
        else:
            _take_name(partial, path)
        sync_folder(path.parent)
    except FileExistsError:
        raise ConflictError(f"output: {path} exists", hint="--overwrite replaces it") from None
    except OSError as error:
        raise disk_error(error, path) from None
    finally:
        with suppress(OSError):
            partial.unlink()


def _begin(file: Path, tries: int = 100) -> None:
    """Make the file and its folder, which another run may remove as long as nothing is in it."""
    for left in reversed(range(tries)):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            file.touch()
        except FileNotFoundError:
            if not left:
                raise
        else:
            return


def _short_stem(path: Path) -> str:
    return path.stem.encode(errors="surrogateescape")[:80].decode(errors="ignore")


def node() -> str:
    """This machine, short: others may work in the same folder, and their processes cannot be asked for."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def partials_of(path: Path) -> list[Path]:
    """The partial files of `path`, whoever left them."""
    return list(path.parent.glob(f".{glob.escape(_short_stem(path))}.*.partial{glob.escape(path.suffix)}"))


def _take_name(partial: Path, path: Path) -> None:
    """Rename, unless the name is taken; raises FileExistsError then."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems have no hard links.
        path.touch(exist_ok=False)
        partial.replace(path)


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
    return error


def sweep(folder: Path) -> None:
    """Remove partial files whose process is gone; those of other machines are theirs to remove."""
    for file in folder.glob(".*.partial*"):
        match = re.search(r"\.(?:([0-9a-f]{8})-)?(\d+)\.partial(\.\w+)?$", file.name)
        if match and match[1] in (None, node()) and not alive(int(match[2])):
            file.unlink(missing_ok=True)


def alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append one JSON line with sorted keys and make it durable; a torn last line is ended first.

    Raises:
        NoSpaceError: the disk is full or the folder cannot be written; nothing of the line is left then.
    """
    line = json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            # Shards share a history. Some network file systems have no locks.
            locked = False
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
                locked = True
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            except OSError:
                # Without a lock another may have written after it.
                if locked:
                    with suppress(OSError):
                        os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
    except OSError as error:
        raise disk_error(error, path) from None
