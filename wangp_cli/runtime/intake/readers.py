"""Read task files of every kind as a lazy stream of task lines."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from wangp_cli.errors import RequestError
from wangp_cli.runtime.intake.json_stream import (
    CHUNK,
    chunks,
    is_complete_json,
    raw_lines,
    strip_line,
)
from wangp_cli.runtime.intake.json_tasks import LineContext, line_of, lines_of_text, read_list
from wangp_cli.runtime.intake.queue_zip import read_archive
from wangp_cli.runtime.intake.task_line import TaskLine
from wangp_cli.tasks import TASKS, TaskTypes

MAX_DOCUMENT = 16 << 20
"""Most bytes of a JSON file that is one object; lists and lines are read one by one."""
MAX_LINES = 100_000
LINE_ENDINGS = (".jsonl", ".ndjson")
STDIN = "stdin"
ZIP = b"PK\x03\x04"
"""First bytes of a zip archive."""


def read_lines(
    source: str | Path,
    *,
    stdin: BinaryIO | None,
    work: Path,
    given: Collection[str] = (),
    tasks: TaskTypes = TASKS,
    loras_here: bool = True,
) -> Iterator[TaskLine]:
    """The task lines of `source`, while it is read; a wrong line is a TaskLine with an error, not raised.

    Args:
        source: a JSONL file (also a run history), a JSON file (a list, one task, WanGP settings or a WanGP
            queue), a WanGP `queue.zip`; or a stream, which may still be growing and is read once: a named
            pipe, or `-` for standard input.
        stdin: binary standard input; None unless `source` is `-`.
        work: folder for media out of an archive.
        given: input fields that flags set for every line.
        tasks: the task types that a line may name.
        loras_here: a bare LoRA name is a path if the folder of the tasks has such a file.

    Raises:
        RequestError: at the call, if the file cannot be read.
    """
    path = Path(source)
    context = LineContext(
        source=path.name, folder=path.absolute().parent, given=given, tasks=tasks, loras_here=loras_here
    )
    if str(source) == "-":
        assert stdin is not None
        return read_stream(stdin, replace(context, source=STDIN, folder=Path.cwd()))
    if is_stream(path):
        # Opened by whoever reads the lines, because that waits until a program writes.
        return _read_pipe(path, replace(context, source=str(path), folder=Path.cwd()))
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except IsADirectoryError:
        raise RequestError(
            "tasks", f"{path} is a folder", hint="--each-image, --each-video or --watch take folders"
        ) from None
    except OSError as error:
        raise RequestError("tasks", f"cannot read {path}: {(error.strerror or 'error').lower()}") from None
    if head == ZIP or path.suffix.lower() == ".zip":
        return read_archive(path, context, work)
    return _limit_lines(_read_file(path, context), context)


def is_stream(path: Path) -> bool:
    """Whether a path is a pipe or another file that can be read only once."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _read_pipe(path: Path, context: LineContext) -> Iterator[TaskLine]:
    try:
        with path.open("rb") as stream:
            yield from read_stream(stream, context)
    except OSError as error:
        yield context.error_line(RequestError("tasks", f"cannot read {path}: {error.strerror}"))


def _limit_lines(lines: Iterator[TaskLine], context: LineContext) -> Iterator[TaskLine]:
    for count, line in enumerate(lines, start=1):
        if count > MAX_LINES:
            yield context.at(line.number).error_line(
                RequestError("tasks", f"more than {MAX_LINES} tasks in one file", hint="cut it into several")
            )
            return
        yield line


def _read_file(path: Path, context: LineContext) -> Iterator[TaskLine]:
    try:
        with path.open("rb") as file:
            if path.suffix.lower() in LINE_ENDINGS:
                yield from _read_json_lines(file, context)
            elif _is_document(file):
                yield from lines_of_text(file.read(MAX_DOCUMENT + 1), context, limit=MAX_DOCUMENT)
            else:
                yield from read_stream(file, context)
    except OSError as error:
        yield context.error_line(RequestError("tasks", f"cannot read {path}: {error.strerror}"))


def _is_document(file: BinaryIO) -> bool:
    """Whether a file is one JSON object over several lines or on a very long one; rewinds the file."""
    first = next((text for _, text in raw_lines(file)), b"")
    file.seek(0)
    head = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    return head.startswith(b"{") and (first is None or not is_complete_json(first))


def read_stream(stream: BinaryIO, context: LineContext) -> Iterator[TaskLine]:
    """The task lines of JSON lines or of a JSON list, each as soon as it is complete."""
    number, head = 0, stream.readline(CHUNK)
    if head.startswith(ZIP):
        error = "is a zip archive, which cannot be read as a stream"
        yield context.error_line(RequestError("tasks", f"{context.source} {error}", hint="give it as a file"))
        return
    while head.endswith(b"\n") and not strip_line(head):
        number, head = number + 1, stream.readline(CHUNK)
    if strip_line(head).startswith(b"["):
        if not (head.endswith(b"\n") and is_complete_json(strip_line(head))):
            yield from read_list(itertools.chain([head], chunks(stream)), context)
            return
        yield from read_list(iter([head]), context)
        number, head = number + 1, b""
    yield from _read_json_lines(stream, context, head, number)


def _read_json_lines(
    stream: BinaryIO, context: LineContext, head: bytes = b"", number: int = 0
) -> Iterator[TaskLine]:
    for at, text in raw_lines(stream, head, number):
        yield from line_of(text, context.at(at))
