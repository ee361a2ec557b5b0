"""Watch a JSON list, a JSONL file or a folder of both for new tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from wangp_cli.errors import RequestError, WangpError
from wangp_cli.files.open_input import open_input
from wangp_cli.files.strict_json import MAX_BYTES
from wangp_cli.runtime.intake.folder_tasks import natural_order
from wangp_cli.runtime.intake.json_stream import (
    CHUNK,
    MalformedError,
    is_complete_json,
    list_items,
    strip_line,
)
from wangp_cli.runtime.intake.json_tasks import LineContext, line_of, lines_of_text, read_list
from wangp_cli.runtime.intake.readers import LINE_ENDINGS, MAX_DOCUMENT, is_stream
from wangp_cli.runtime.intake.task_line import TaskLine
from wangp_cli.runtime.intake.watch_list import ListFile, Stamp, file_stamp
from wangp_cli.tasks import TASKS, TaskTypes

REMEMBERED = 4096
"""Bytes before the current offset that are compared to detect that a file was replaced."""


class Watcher:
    """Polls a `tasks.json` list, a `tasks.jsonl` or a folder of both for new tasks.

    Args:
        path: the file, which need not exist yet, or the folder.
        interval: seconds between two polls.
        given: input fields that flags set for every line.
        tasks: the task types that a line may name.
        loras_here: a bare LoRA name is a path if the folder of the tasks has such a file.

    Raises:
        RequestError: neither the path nor its folder exists.
    """

    def __init__(
        self,
        path: Path,
        interval: float = 10.0,
        *,
        given: Collection[str] = (),
        tasks: TaskTypes = TASKS,
        loras_here: bool = True,
    ) -> None:
        if not path.exists() and not path.absolute().parent.is_dir():
            raise RequestError("watch", f"there is no {path}")
        if is_stream(path):
            raise RequestError(
                "watch", f"{path} can be read only once", hint="give it as TASKS, without --watch"
            )
        self.interval = interval
        self._list: ListFile | None = None
        self._source: ListFile | _LinesFile | _TaskFolder
        context = LineContext(
            source=path.name, folder=path.absolute().parent, given=given, tasks=tasks, loras_here=loras_here
        )
        if path.is_dir():
            self._source = _TaskFolder(path, context)
        elif path.suffix.lower() in LINE_ENDINGS:
            self._source = _LinesFile(path, context)
        else:
            self._source = self._list = ListFile(path, context)

    @property
    def problem(self) -> str | None:
        """Why the last poll could not read, such as an incomplete file; None if it could."""
        return self._source.problem

    def poll(self) -> Iterator[TaskLine]:
        """Lines that are new since the last poll."""
        return self._source.poll()

    def lines(self, wait: Callable[[float], bool]) -> Iterator[TaskLine]:
        """New lines, poll after poll, until `wait(seconds)` returns true."""
        while True:
            yield from self.poll()
            if wait(self.interval):
                return

    def done(self, line: TaskLine) -> None:
        """Remove a finished task from the list; other sources are not changed."""
        if self._list:
            self._list.finish(line, None)

    def failed(self, line: TaskLine, error: WangpError) -> None:
        """Move a failed task from the list to `NAME.failed.json`; other sources are not changed."""
        if self._list:
            self._list.finish(line, error)


class _LinesFile:
    """A JSONL file that grows: its complete new lines."""

    def __init__(self, path: Path, context: LineContext) -> None:
        self.problem: str | None = None
        self._path, self._context = path, context
        self._offset = self._number = 0
        self._last_bytes = b""

    def poll(self) -> Iterator[TaskLine]:
        try:
            file = self._path.open("rb")
        except OSError as error:
            self.problem = f"{self._path.name} cannot be read: {error.strerror}"
            return
        self.problem = None
        with file:
            file.seek(self._offset - len(self._last_bytes))
            if file.read(len(self._last_bytes)) != self._last_bytes:
                # The file was replaced: read it from its start.
                self._offset = self._number = 0
                self._last_bytes = b""
                file.seek(0)
            while line := file.readline(MAX_BYTES + 2):
                too_long = len(line) > MAX_BYTES and not line.endswith(b"\n")
                last = line
                while too_long and not last.endswith(b"\n") and (last := file.readline(CHUNK)):
                    pass
                if not last.endswith(b"\n"):
                    return
                self._offset = file.tell()
                self._number += 1
                self._last_bytes = last[-REMEMBERED:]
                text = None if too_long else strip_line(line)
                if text != b"":
                    yield from line_of(text, self._context.at(self._number))


class _TaskFolder:
    """A folder: each file once for each content it has."""

    def __init__(self, path: Path, context: LineContext) -> None:
        self.problem: str | None = None
        self._path, self._context = path, context
        self._files: dict[str, _LinesFile] = {}
        self._seen: set[tuple[str, str]] = set()
        self._stamps: dict[str, Stamp | None] = {}

    def poll(self) -> Iterator[TaskLine]:
        self.problem = None
        try:
            files = sorted(
                (f for f in self._path.absolute().iterdir() if _is_task_file(f)), key=natural_order
            )
        except OSError as error:
            self.problem = f"{self._path} cannot be read: {error.strerror}"
            return
        for file in files:
            context = replace(self._context, source=file.name, folder=file.parent)
            if file.suffix.lower() in LINE_ENDINGS:
                yield from self._files.setdefault(file.name, _LinesFile(file, context)).poll()
            else:
                yield from self._read_document(file, context)

    def _read_document(self, file: Path, context: LineContext) -> Iterator[TaskLine]:
        try:
            stamp = file_stamp(file)
            if self._stamps.get(file.name) == stamp:
                return
            with open_input(file) as stream:
                text = stream.read(MAX_DOCUMENT + 1)
        except OSError as error:
            self.problem = f"{file.name} cannot be read: {error.strerror}"
            return
        if not _is_complete(text):
            self.problem = f"{file.name} is incomplete, or no JSON"
            return
        self._stamps[file.name] = stamp
        key = (file.name, hashlib.sha256(text).hexdigest())
        if key in self._seen:
            return
        self._seen.add(key)
        if strip_line(text).startswith(b"["):
            yield from read_list([text], context)
        else:
            yield from lines_of_text(text, context, limit=MAX_DOCUMENT)


def _is_task_file(file: Path) -> bool:
    hidden = file.name.startswith(".") or file.name.endswith(".failed.json")
    return not hidden and file.suffix.lower() in (".json", *LINE_ENDINGS) and file.is_file()


def _is_complete(text: bytes) -> bool:
    start = strip_line(text)
    if len(text) > MAX_DOCUMENT:
        return True
    if not start.startswith(b"["):
        return start.startswith(b"{") and is_complete_json(start)
    try:
        return all(True for _ in list_items([text]))
    except MalformedError:
        return False
