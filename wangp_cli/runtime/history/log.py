"""The run history: one JSON line for each task that ended and each line that was rejected."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wangp_cli.errors import NoSpaceError, RequestError
from wangp_cli.files.atomic import disk_error, reason_of
from wangp_cli.files.folders import make_folder, sync_folder
from wangp_cli.files.locks import lock

HISTORY = Path("manifests") / "run_history.jsonl"
LONGEST_LINE = 1 << 24


def append_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Append records as durable JSON lines with sorted keys; a torn last line is ended first.

    Raises:
        NoSpaceError: the disk is full or the folder cannot be written; a part that was written is removed.
    """
    text = b"".join(
        # Bytes of file names that are not UTF-8 become JSON escapes.
        json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False).encode(
            "utf-8", "backslashreplace"
        )
        + b"\n"
        for record in records
    )
    try:
        make_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            # Shards of a batch append to the same history.
            locked = lock(handle, wait=True)
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                text = b"\n" + text
            try:
                rest = memoryview(text)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
                if not size:
                    sync_folder(path.parent)
            except OSError:
                # Without a lock, another process may have appended after these lines.
                if locked:
                    with suppress(OSError):
                        os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
    except OSError as error:
        known = disk_error(error, path)
        raise _unwritable(path, error) if isinstance(known, NoSpaceError) else known from None


def _unwritable(path: Path, error: OSError) -> NoSpaceError:
    return NoSpaceError(
        f"manifest_path: {path} cannot be written: {reason_of(error)}",
        hint="--manifest-path picks another file",
    )


def check_history(path: Path) -> None:
    """Check that a file to append to is missing, or can be written and is empty or a run history.

    Raises:
        RequestError: it has other content, or is no file.
        NoSpaceError: it cannot be written.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise RequestError("manifest_path", f"{path} is not a file")
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND), "rb") as file:
            first = file.readline(LONGEST_LINE)
    except OSError as error:
        raise _unwritable(path, error) from None
    if first and not _is_history_line(first):
        raise RequestError(
            "manifest_path", f"{path} holds something other than a run history", hint="name another file"
        )


def _is_history_line(line: bytes) -> bool:
    # A torn first line still begins like a record, whose keys are sorted.
    if line.startswith(b'{"adapter_payload_hashes": '):
        return True
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    # Lines of the older command line have inputs, but no status.
    return isinstance(record, dict) and "task_id" in record and ("status" in record or "inputs" in record)
