"""A watched `tasks.json` list: finished items are removed from it, failed ones move to a file beside it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from wangp_cli.errors import WangpError
from wangp_cli.files import strict_json
from wangp_cli.files.atomic import atomic_file, set_aside
from wangp_cli.runtime.intake.json_stream import MalformedError, list_items
from wangp_cli.runtime.intake.json_tasks import LineContext, line_of
from wangp_cli.runtime.intake.task_line import TaskLine, digest_of

MAX_LIST = 64 << 20
LOCK_SECONDS = 30


@dataclass
class _PendingItem:
    """An item whose tasks run: how many are left, and the first error."""

    key: str
    left: int
    error: WangpError | None = None


class ListFile:
    """A list whose items are identified by their content, not their index, so that others may edit it.

    Another program must replace the file as a whole, or hold the lock file `.NAME.lock` while it edits.
    """

    def __init__(self, path: Path, context: LineContext) -> None:
        self.path = Path(os.path.realpath(path))
        self.failed_path = failed_path(path)
        self.problem: str | None = None
        self._context = context
        self._lock = FileLock(str(self.path.with_name(f".{self.path.name}.lock")), timeout=LOCK_SECONDS)
        self._pending: dict[int, _PendingItem] = {}
        self._finished: Counter[str] = Counter()
        self._number = 0

    def poll(self) -> Iterator[TaskLine]:
        """Items that are new since the last call, as lines numbered in the order they are read."""
        if self._finished:
            self._remove_finished()
        if (items := self._items()) is None:
            return
        known = Counter(item.key for item in self._pending.values()) + self._finished
        for text in items:
            key = key_of(text)
            if known[key] > 0:
                known[key] -= 1
                continue
            self._number += 1
            if lines := list(line_of(text, self._context.at(self._number))):
                self._pending[self._number] = _PendingItem(key=key, left=len(lines))
                yield from lines

    def finish(self, line: TaskLine, error: WangpError | None) -> None:
        """Record the end of one task of an item; after its last task the item is removed from the list."""
        if not (item := self._pending.get(line.number)):
            return
        item.left -= 1
        item.error = item.error or error
        if item.left:
            return
        with self._lock:
            if item.error:
                self._record_failed(item.key, item.error)
            del self._pending[line.number]
            self._finished[item.key] += 1
            self._remove_finished()

    def _items(self) -> list[bytes] | None:
        """The texts of the items; None while the file is missing or incomplete."""
        try:
            items = _read(self.path)
        except FileNotFoundError:
            self.problem = f"{self.path.name} does not exist"
            return None
        except (MalformedError, OSError) as error:
            self.problem = f"{self.path.name} cannot be read: {error}"
            return None
        self.problem = None
        return items

    def _remove_finished(self) -> None:
        """Remove finished items from the list as it is now; if it cannot be read, at the next poll."""
        with self._lock:
            while True:
                before = file_stamp(self.path)
                if (items := self._items()) is None:
                    return
                to_remove = Counter(self._finished)
                remaining = []
                for text in items:
                    key = key_of(text)
                    if to_remove[key] > 0:
                        to_remove[key] -= 1
                    else:
                        remaining.append(text)
                with suppress(_ChangedError):
                    _write(self.path, remaining, partial(_check_unchanged, self.path, before))
                    self._finished.clear()
                    return

    def _record_failed(self, key: str, error: WangpError) -> None:
        text = next((text for text in self._items() or [] if key_of(text) == key), None)
        if text is None:
            return
        try:
            failed = _read(self.failed_path)
        except FileNotFoundError:
            failed = []
        except MalformedError:
            set_aside(self.failed_path, ".broken")
            failed = []
        entry = {
            "task": _value(text),
            "error": {"kind": error.kind, "message": error.message, "hint": error.hint},
            "failed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        failed.append(json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace"))
        _write(self.failed_path, failed)


def failed_path(path: Path) -> Path:
    """The file for failed items of a list."""
    path = Path(os.path.realpath(path))
    return path.with_name(f"{path.stem}.failed.json")


def key_of(text: bytes) -> str:
    """The digest of an item, which does not depend on white space and the order of keys."""
    try:
        return digest_of(strict_json.loads(text))
    except ValueError:
        return hashlib.sha256(text).hexdigest()


def _value(text: bytes) -> Any:
    try:
        return strict_json.loads(text)
    except ValueError:
        return text.decode("utf-8", "backslashreplace")


def _read(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        text = file.read(MAX_LIST + 1)
    if len(text) > MAX_LIST:
        raise MalformedError(f"more than {MAX_LIST >> 20} MiB")
    return [item for item in list_items([text], limit=MAX_LIST) if item]


Stamp = tuple[int, int, int]
"""Inode, time of the last change in ns, and size of a file: equal as long as it is not changed."""


def file_stamp(path: Path) -> Stamp | None:
    """The stamp of a file; None if there is no such file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


class _ChangedError(Exception):
    """The file was replaced since it was read, so the list must be read again."""


def _check_unchanged(path: Path, before: Stamp | None) -> None:
    if file_stamp(path) != before:
        raise _ChangedError


def _write(path: Path, items: list[bytes], check: Callable[[], None] = lambda: None) -> None:
    """Replace a list, the text of each item untouched; `check` is called last and may raise to leave it."""
    with atomic_file(path, overwrite=True, before_rename=lambda *_: check()) as new:
        new.write_bytes(b"[\n" + b",\n".join(items) + b"\n]\n" if items else b"[]\n")
        if path.exists():
            new.chmod(stat.S_IMODE(path.stat().st_mode))
