"""Files of running commands in the user's runtime folder: socket, record and token of each run."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wangp_cli.files import strict_json
from wangp_cli.files.atomic import write_atomic
from wangp_cli.files.locks import lock

MAX_FOLDERS = 64


@dataclass(kw_only=True)
class Record:
    """What a client needs to find a run and connect to it."""

    folder: Path
    run: str
    pid: int
    started: float = field(default_factory=time.time)
    folders: list[str] = field(default_factory=list)
    port: int | None = None

    @property
    def socket(self) -> Path:
        """Path of its unix socket."""
        return self.folder / f"{self.run}.sock"

    @property
    def file(self) -> Path:
        """Path of this record."""
        return self.folder / f"{self.run}.json"

    @property
    def token(self) -> Path:
        """Path of the token of its port."""
        return self.folder / f"{self.run}.token"

    def add_folder(self, folder: Path) -> None:
        """Add a folder that the run writes to, by which it can be found."""
        name = str(folder.expanduser().resolve())
        if name not in self.folders and len(self.folders) < MAX_FOLDERS:
            self.folders.append(name)
            with contextlib.suppress(OSError):
                self.write()

    def write(self) -> None:
        """Write it, atomically."""
        body: dict[str, Any] = {"run": self.run, "pid": self.pid, "started": self.started}
        body |= {"folders": self.folders, "port": self.port}
        write_atomic(self.file, json.dumps(body) + "\n", mode=0o600)

    def remove(self) -> None:
        """Remove everything of the run."""
        for path in (self.file, self.token, self.socket):
            with contextlib.suppress(OSError):
                path.unlink()


def read(file: Path) -> Record | None:
    """The record in a file; None if there is no valid one."""
    try:
        body = strict_json.loads(file.read_bytes(), file_names=True)
        return Record(
            folder=file.parent,
            run=file.stem,
            pid=int(body["pid"]),
            started=float(body["started"]),
            folders=[str(folder) for folder in body["folders"]],
            port=body["port"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def records(folder: Path) -> list[Record]:
    """The records of all runs in a folder that answer, the newest last."""
    if not is_private(folder):
        return []
    readable = (record for file in folder.glob("*.json") if (record := read(file)))
    live = (record for record in readable if is_listening(record.socket))
    return sorted(live, key=lambda record: record.started)


def sweep(folder: Path) -> None:
    """Remove the files of runs that do not answer; only while the folder is locked."""
    for name in {file.stem for file in folder.iterdir()}:
        if not is_listening(folder / f"{name}.sock"):
            Record(folder=folder, run=name, pid=0).remove()


def is_listening(path: Path) -> bool:
    """Whether a process listens on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


def make_private(folder: Path) -> None:
    """Create a folder that only this user can enter, or check that it is one.

    Raises:
        OSError: it cannot be created, or other users can enter it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(folder):
        raise PermissionError(None, "other users may enter it", str(folder))


def is_private(folder: Path) -> bool:
    """Whether a folder belongs to this user, is no link, and is closed to other users."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(facts.st_mode)
        and facts.st_uid == os.geteuid()
        and not stat.S_IMODE(facts.st_mode) & 0o077
    )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other runs."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)
