"""The folder of a batch: its job store, locked while it is open, and its fetched files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wangp_cli.errors import ConflictError
from wangp_cli.files.atomic import disk_error
from wangp_cli.runtime.jobs.batch_store import BatchStore

BATCH_SUBFOLDER = ".wangp"
"""Subfolder for what a batch keeps beside its results."""


@contextmanager
def batch_store(folder: Path, shard: tuple[int, int], *, resume: bool) -> Iterator[BatchStore]:
    """Open the job store of a batch under its lock.

    Args:
        folder: the output folder.
        shard: which of how many; each shard has a store of its own.
        resume: keep the jobs of an earlier run; otherwise they are deleted.

    Raises:
        ConflictError: another process holds the lock, or an earlier run is unfinished and `resume` is off.
        NoSpaceError: the folder cannot be written.
    """
    name, subfolder = _name(shard), folder / BATCH_SUBFOLDER
    lock = FileLock(subfolder / f"{name}.lock", blocking=False)
    try:
        subfolder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ConflictError(
            f"another batch works in {folder}", hint="wait for it, or use --output-dir"
        ) from None
    except OSError as error:
        raise disk_error(error, subfolder) from None
    try:
        store = BatchStore.open(subfolder / f"{name}.sqlite", worker=f"{name}.lock")
        try:
            _check_unfinished(store, folder, resume=resume)
            if not resume:
                remove_fetched(folder, shard)
            yield store
        finally:
            store.close()
    finally:
        lock.release()


def fetched_folder(folder: Path, shard: tuple[int, int]) -> Path:
    """The folder of files fetched from URLs, which are kept until all tasks are done."""
    return folder / BATCH_SUBFOLDER / f"{_name(shard)}-fetched"


def remove_fetched(folder: Path, shard: tuple[int, int]) -> None:
    """Remove the files fetched from URLs."""
    shutil.rmtree(fetched_folder(folder, shard), ignore_errors=True)


def _name(shard: tuple[int, int]) -> str:
    which, of = shard
    return "batch" if of == 1 else f"batch-{which}-of-{of}"


def _check_unfinished(store: BatchStore, folder: Path, *, resume: bool) -> None:
    if resume:
        return
    counts = store.counts()
    if counts["blocked"] + counts["ready"] + counts["running"]:
        raise ConflictError(
            f"an earlier batch in {folder} is unfinished",
            hint="--resume finishes it; or use another --output-dir",
        )
    store.clear()
