"""Read WanGP's queue.zip: its tasks and their media, one task at a time."""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.files.atomic import open_atomic
from wangp_cli.files.open_input import open_input
from wangp_cli.runtime.intake.json_stream import CHUNK
from wangp_cli.runtime.intake.json_tasks import LineContext, read_list
from wangp_cli.runtime.intake.paths import media_fields
from wangp_cli.runtime.intake.task_line import TaskLine

MAX_MEMBERS = 10_000
MAX_TOTAL = 2 << 30
MAX_RATIO = 200
QUEUE = "queue.json"
_MEDIA = re.compile(r"task[A-Za-z0-9_-]{1,64}_[A-Za-z0-9_]{1,64}\.[A-Za-z0-9]{1,8}")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError)


def read_archive(path: Path, context: LineContext, work: Path) -> Iterator[TaskLine]:
    """The task lines of a queue.zip; the media of each are copied to a folder of its own under `work`."""
    try:
        # One open file, so that nobody exchanges the archive after it is hashed.
        with open_input(path) as raw, zipfile.ZipFile(raw) as archive:
            raw.seek(0)
            name = hashlib.file_digest(raw, "sha256").hexdigest()[:16]
            unpacker = _Unpacker(archive, work / f"queue-{name}", media_fields(context.tasks))
            with archive.open(QUEUE) as queue:
                # Paths of a task are looked up in the archive, never on the disk.
                inside = replace(context, folder=Path("/"))
                parts = iter(lambda: unpacker.count_bytes(queue.read(CHUNK)), b"")
                for line in read_list(parts, inside):
                    yield unpacker.extract_media(line)
    except RequestError as error:
        yield context.error_line(error)
    except KeyError:
        missing = RequestError("tasks", f"{path.name} has no {QUEUE}, a WanGP queue is wanted")
        yield context.error_line(missing)
    except _BROKEN as error:
        yield context.error_line(RequestError("tasks", f"{path.name} is a damaged archive: {error}"))


class _Unpacker:
    """Copies media out of an archive, within limits that stop a small archive from filling a disk.

    Args:
        archive: the open archive.
        folder: for the copies.
        fields: those of tasks that name media.

    Raises:
        RequestError: the archive exceeds a limit.
    """

    def __init__(self, archive: zipfile.ZipFile, folder: Path, fields: frozenset[str]) -> None:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise RequestError("tasks", f"an archive of {len(members)} files, at most {MAX_MEMBERS} are read")
        self._members = {member.filename: member for member in members}
        if len(self._members) < len(members):
            raise RequestError("tasks", "an archive with two files of one name")
        if sum(member.file_size for member in members) > MAX_TOTAL:
            raise RequestError("tasks", f"an archive of more than {MAX_TOTAL >> 30} GiB")
        for member in members:
            if member.file_size > MAX_RATIO * max(member.compress_size, 1024):
                raise RequestError(
                    "tasks", f"an archive that unpacks to more than {MAX_RATIO} times its size"
                )
        self._archive, self._folder, self._fields = archive, folder, fields
        self._total = 0

    def count_bytes(self, part: bytes) -> bytes:
        """The same bytes; raises when the archive exceeds the limit of bytes."""
        self._total += len(part)
        if self._total > MAX_TOTAL:
            raise RequestError("tasks", f"an archive of more than {MAX_TOTAL >> 30} GiB")
        return part

    def extract_media(self, line: TaskLine) -> TaskLine:
        """The line with its media copied to the disk."""
        if line.values is None:
            return line
        folder = self._folder / f"task-{line.number}"
        try:
            values = {
                field: self._copy_each(field, value, folder) if field in self._fields else value
                for field, value in line.values.items()
            }
        except RequestError as error:
            return replace(line, values=None, error=error)
        except _BROKEN as error:
            return replace(line, values=None, error=RequestError("tasks", f"a damaged archive: {error}"))
        return replace(line, values=values)

    def _copy_each(self, field: str, value: Any, folder: Path) -> Any:
        if isinstance(value, list | tuple):
            return [self._copy_each(field, item, folder) for item in value]
        return str(self._copy(field, value, folder)) if isinstance(value, str) else value

    def _copy(self, field: str, name: str, folder: Path) -> Path:
        name = name.removeprefix("/")
        member = self._members.get(name)
        if member is None or not _MEDIA.fullmatch(name):
            raise RequestError(field, f"{name[:80]!a} is not among the media of the archive")
        if stat.S_ISLNK(member.external_attr >> 16) or member.is_dir():
            raise RequestError(field, f"{name} in the archive is no plain file")
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / name
        if not target.exists():
            with self._archive.open(member) as source, open_atomic(target) as copy:
                for part in iter(lambda: self.count_bytes(source.read(CHUNK)), b""):
                    copy.write(part)
        return target
