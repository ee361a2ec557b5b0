"""The run history: one JSON line per result."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.files.atomic import disk_error
from wangp_cli.files.folders import make_folder, sync_folder
from wangp_cli.files.locks import lock

HISTORY = Path("manifests") / "run_history.jsonl"
LONGEST_LINE = 1 << 24


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append one JSON line with sorted keys and make it durable; a torn last line is ended first.

    Raises:
        NoSpaceError: the disk is full or the folder cannot be written; nothing of the line is left then.
    """
    line = json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    try:
        make_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            # Shards share a history.
            locked = lock(handle, wait=True)
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
                if not size:
                    sync_folder(path.parent)
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


def check_history(path: Path) -> None:
    """Check that a file which lines are to be appended to is new, empty or a run history.

    Raises:
        RequestError: it is something else.
        NoSpaceError: it cannot be read.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise RequestError("manifest_path", f"{path} is not a file")
    try:
        with path.open("rb") as file:
            first = file.readline(LONGEST_LINE)
    except OSError as error:
        raise disk_error(error, path) from None
    if first and not _is_of_history(first):
        raise RequestError(
            "manifest_path", f"{path} holds something else than a run history", hint="name another file"
        )


def _is_of_history(line: bytes) -> bool:
    # A first line that a power cut has torn begins as ours do.
    if line.startswith(b'{"adapter_payload_hashes": '):
        return True
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "task_id" in found and "inputs" in found
