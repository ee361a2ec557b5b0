"""Open a file for appending events."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wangp_cli.errors import ConflictError, NoSpaceError, RequestError, WangpError
from wangp_cli.files.folders import free_bytes, make_folder
from wangp_cli.files.locks import lock
from wangp_cli.files.same_file import is_same_file, lies_in
from wangp_cli.runtime.events.stream import is_event

LEAST_FREE_BYTES = 1 << 16
LONGEST_FIRST_LINE = 1 << 24


def open_events_file(path: Path, used: Iterable[Path] = (), streams: Iterable[int] = ()) -> int:
    """Open a file for appending events and lock it; a torn last line of an earlier run is removed.

    Args:
        path: new, empty, or an event log of earlier runs.
        used: other files that the run reads or writes, and folders of such files.
        streams: descriptors of standard input, output and error.

    Raises:
        RequestError: the path is a folder, holds something other than events, or is another file of the run.
        ConflictError: another run writes there.
        NoSpaceError: the disk is full or the folder cannot be written.
    """
    check_apart(path, used)
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _as_wangp_error(error, path) from None
    try:
        if free_bytes(path.parent) < LEAST_FREE_BYTES:
            raise NoSpaceError(f"events_file: the disk of {path.parent} is full", hint="free some space")
        _lock(descriptor, path)
        _check_holds_events(descriptor, path)
        if any(_is_open_as(stream, descriptor) for stream in streams):
            message = f"{path} is standard input, output or error"
            raise RequestError("events_file", message, hint="name another file")
        os.ftruncate(descriptor, _whole_lines(descriptor))
    except (OSError, WangpError) as error:
        os.close(descriptor)
        raise _as_wangp_error(error, path) if isinstance(error, OSError) else error from None
    return descriptor


def _lock(descriptor: int, path: Path) -> None:
    if lock(descriptor) is False:
        raise ConflictError(
            f"events_file: another run writes to {path}", hint="--events-file picks another file"
        )


def _whole_lines(descriptor: int) -> int:
    """Bytes up to the end of the last complete line."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _as_wangp_error(error: OSError, path: Path) -> WangpError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError(f"events_file: the disk of {path.parent} is full", hint="free some space")
    if error.errno in (errno.EISDIR, errno.ENAMETOOLONG):
        return RequestError("events_file", f"{path} is not a file: {error.strerror}")
    return NoSpaceError(
        f"events_file: {path} cannot be written: {error.strerror}",
        hint="--events-file picks another file",
    )


def check_apart(path: Path, used: Iterable[Path]) -> None:
    """Check that the events file is no other file of the run, also under another name.

    Args:
        path: the events file, which may not exist yet.
        used: other files that the run reads or writes, and folders of such files.

    Raises:
        RequestError: it is one of them or lies in one of the folders.
    """
    other = next((other for other in used if is_same_file(path, other) or lies_in(path, other)), None)
    if other is not None:
        raise RequestError(
            "events_file", f"{path} belongs to {other}, which this run uses", hint="name another file"
        )


def _is_open_as(stream: int, descriptor: int) -> bool:
    """Whether two descriptors are of one file; False if `stream` is closed."""
    with suppress(OSError):
        return stream != descriptor and os.path.sameopenfile(stream, descriptor)
    return False


def _check_holds_events(descriptor: int, path: Path) -> None:
    """Check that a file is empty or begins with an event."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise RequestError("events_file", f"{path} is not a file")
    first, newline, _ = os.pread(descriptor, LONGEST_FIRST_LINE, 0).partition(b"\n")
    if (first or newline) and not is_event(first, torn=not newline):
        raise RequestError(
            "events_file", f"{path} holds something else than events", hint="name another file"
        )
