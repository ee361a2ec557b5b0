"""The folder of a batch: its store, ours alone while it is open."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wangp_cli.errors import ConflictError
from wangp_cli.files.atomic import disk_error
from wangp_cli.runtime.jobs.batch_store import BatchStore

OURS = ".wangp"
"""Where a batch keeps what is not a result."""


@contextmanager
def batch_store(folder: Path, shard: tuple[int, int], *, resume: bool) -> Iterator[BatchStore]:
    """The store of a batch.

    Args:
        folder: of its results.
        shard: which of how many; each has a store of its own.
        resume: go on with what an earlier run left there.

    Raises:
        ConflictError: another process works there, or an earlier run is unfinished and `resume` is not said.
        NoSpaceError: the folder cannot be written.
    """
    name, ours = _name(shard), folder / OURS
    lock = FileLock(ours / f"{name}.lock", blocking=False)
    try:
        ours.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ConflictError(
            f"another batch works in {folder}", hint="wait for it, or use --output-dir"
        ) from None
    except OSError as error:
        raise disk_error(error, ours) from None
    try:
        store = BatchStore.open(ours / f"{name}.sqlite", worker=f"{name}.lock")
        try:
            _check(store, folder, resume=resume)
            if not resume:
                remove_fetched(folder, shard)
            yield store
        finally:
            store.close()
    finally:
        lock.release()


def fetched_folder(folder: Path, shard: tuple[int, int]) -> Path:
    """Where files of addresses are kept until all tasks are done."""
    return folder / OURS / f"{_name(shard)}-fetched"


def remove_fetched(folder: Path, shard: tuple[int, int]) -> None:
    """Remove them."""
    shutil.rmtree(fetched_folder(folder, shard), ignore_errors=True)


def _name(shard: tuple[int, int]) -> str:
    which, of = shard
    return "batch" if of == 1 else f"batch-{which}-of-{of}"


def _check(store: BatchStore, folder: Path, *, resume: bool) -> None:
    if resume:
        return
    counts = store.counts()
    if counts["blocked"] + counts["ready"] + counts["running"]:
        raise ConflictError(
            f"an earlier batch in {folder} is unfinished",
            hint="--resume finishes it; or use another --output-dir",
        )
    store.clear()
