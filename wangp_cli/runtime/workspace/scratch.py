"""The scratch folder: weights that wait on the disk, for as long as their process lives."""

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
"""File in a scratch folder that is locked as long as its process lives."""


class Scratch:
    """A folder of this process alone, with a random name, removed at its end.

    Args:
        work_dir: the folder it lies in, shared with other processes and machines.
    """

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir
        self._path = work_dir / secrets.token_hex(16)
        self._lock: int | None = None

    def folder(self) -> Path:
        """The folder, made at the first call; where that fails, whoever writes there meets the error."""
        if self._lock is None:
            with suppress(OSError):
                self._path.mkdir(parents=True)
                weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
                # Locked before it has its name, so that no other process takes it for abandoned.
                unlocked = self._path / f"{LOCK}.new"
                self._lock = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                lock(self._lock)
                unlocked.rename(self._path / LOCK)
        return self._path

    def sweep(self) -> None:
        """Remove the folders of processes that are gone: those whose lock is free."""
        for folder in self._work_dir.glob("*"):
            if re.fullmatch("[0-9a-f]{32}", folder.name) and not folder.is_symlink():
                with open_regular(folder / LOCK, os.O_RDWR) as file:
                    if file is not None and lock(file):
                        shutil.rmtree(folder, ignore_errors=True)
