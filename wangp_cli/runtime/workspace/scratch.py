"""The scratch folder of a process: weights offloaded to disk."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import weakref
from contextlib import suppress
from pathlib import Path

from wangp_cli.files.checksum import open_regular
from wangp_cli.files.locks import lock

LOCK = "lock"
"""File in a scratch folder that is locked while its process lives."""


class Scratch:
    """A folder of one process, with a random name, removed when the process ends.

    Args:
        work_dir: its parent, shared with other processes and machines.
    """

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir
        self._path = work_dir / secrets.token_hex(16)
        self._lock: int | None = None

    def folder(self) -> Path:
        """The folder, created at the first call; if that fails, writing to it raises the error."""
        if self._lock is None:
            with suppress(OSError):
                self._path.mkdir(parents=True)
                weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
                # Locked before it has its name, so that no other process removes the folder as abandoned.
                unlocked = self._path / f"{LOCK}.new"
                self._lock = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                lock(self._lock)
                unlocked.rename(self._path / LOCK)
        return self._path

    def sweep(self) -> None:
        """Remove the folders of processes that have ended: those whose lock is free."""
        for folder in self._work_dir.glob("*"):
            if re.fullmatch("[0-9a-f]{32}", folder.name) and not folder.is_symlink():
                with open_regular(folder / LOCK, os.O_RDWR) as file:
                    if file is not None and lock(file):
                        shutil.rmtree(folder, ignore_errors=True)
