"""The job store: what is to do, what runs, what is done. It alone holds states.

One class over SQLAlchemy Core; a batch keeps its store as a SQLite file in its folder. Every change of a
running job carries the token it was claimed with, so that a worker that lost its job cannot finish it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Engine, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.dml import ReturningUpdate

from wangp_cli.errors import NoSpaceError, WangpError
from wangp_cli.runtime.jobs.tables import READY, STATES, jobs, open_database

FOREVER = 1e15
State: TypeAlias = Literal["blocked", "ready", "running", "done", "dead", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to submit.

    Args:
        task_id: the task's id, unique in the store.
        digest: of everything that was said.
        affinity: equal for jobs that need the same model loaded in the same way.
        said: what the worker needs to run it.
    """

    task_id: str
    digest: str
    affinity: str | None
    said: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    """A job as the store has it.

    Args:
        attempt: how often it was tried.
        token: proves that it is ours while it runs.
        files: `path` and `sha256` of each file that it wrote; noted before the file had its name;
            None for done jobs of older stores.
    """

    id: int
    task_id: str
    digest: str
    affinity: str | None
    state: State
    attempt: int
    token: int
    said: dict[str, Any]
    files: list[dict[str, str]] | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: float


class LeaseLostError(WangpError):
    """The job is no longer ours."""

    kind = "lease_lost"


class JobStore:
    """Jobs in a database.

    Args:
        engine: from `open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Statements are built once: building one costs more than running it.
        self._find = select(jobs).where(jobs.c.task_id.in_(bindparam("keys", expanding=True)))
        ready = select(jobs.c.id).where(READY, jobs.c.run_at <= bindparam("now")).order_by(jobs.c.id).limit(1)
        self._claim = _claim_of(ready)
        self._claim_like = _claim_of(ready.where(jobs.c.affinity == bindparam("wanted")))
        self._claim_task = _claim_of(ready.where(jobs.c.task_id == bindparam("wanted")))
        self._ours = update(jobs).where(
            jobs.c.id == bindparam("job_id"),
            jobs.c.token == bindparam("job_token"),
            jobs.c.state == "running",
        )

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def find(self, keys: Sequence[str]) -> dict[str, StoredJob]:
        """The jobs of these keys, as far as there are any."""
        with self._engine.connect() as connection:
            return {row.key: _job(row) for row in connection.execute(self._find, {"keys": list(keys)})}

    def submit(self, batch: Sequence[NewJob]) -> None:
        """Add jobs in one transaction; one that is there and not running is replaced.

        Raises:
            LeaseLostError: one of them runs.
        """
        if not batch:
            return
        now = time.time()
        rows: list[dict[str, Any]] = [
            {
                "task_id": new.task_id,
                "digest": new.digest,
                "affinity": new.affinity,
                "state": "ready",
                "said": dict(new.said),
                "files": [],
                "created_at": now,
            }
            for new in batch
        ]
        with self._write() as connection:
            there = list(connection.execute(self._find, {"keys": [new.task_id for new in batch]}))
            if running := next((row.key for row in there if row.state == "running"), None):
                raise LeaseLostError(f"job {running!r} runs")
            if there:
                connection.execute(delete(jobs).where(jobs.c.id.in_([row.id for row in there])))
            connection.execute(insert(jobs), rows)

    def claim(self, affinity: str | None = None, *, only: bool = False) -> StoredJob | None:
        """Take the next ready job; None if none is.

        Args:
            affinity: one of these first.
            only: none but those.
        """
        with self._write() as connection:
            row, now = None, time.time()
            if affinity is not None:
                row = connection.execute(self._claim_like, {"wanted": affinity, "now": now}).one_or_none()
            if row is None and not only:
                row = connection.execute(self._claim, {"now": now}).one_or_none()
            return _job(row) if row is not None else None

    def claim_task(self, task_id: str, *, due: bool = False) -> StoredJob | None:
        """Take one job, if it is ready; `due` leaves it if it waits for its next attempt."""
        now = time.time() if due else FOREVER
        with self._write() as connection:
            row = connection.execute(self._claim_task, {"wanted": task_id, "now": now}).one_or_none()
            return _job(row) if row is not None else None

    def own(self, job: StoredJob, path: Path, sha256: str) -> None:
        """Note a complete file of the running job before it takes its name, to know it after a crash."""
        now = self.find([job.task_id]).get(job.task_id, job)
        self._change(job, files=[*(now.files or []), {"path": str(path), "sha256": sha256}])

    def succeed(self, job: StoredJob, result: Mapping[str, Any]) -> None:
        """The job is done."""
        self._change(job, state="done", result=dict(result), error=None, finished_at=time.time())

    def fail(self, job: StoredJob, error: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        """The job failed: dead, or ready for another attempt after some seconds."""
        now = time.time()
        ending = {"error": dict(error), "finished_at": now}
        if retry_after is None:
            self._change(job, state="dead", **ending)
        else:
            self._change(job, state="ready", run_at=now + retry_after, **ending)

    def cancel(self, job: StoredJob) -> None:
        """The running job was cancelled."""
        self._change(job, state="cancelled", finished_at=time.time())

    def release(self, job: StoredJob) -> None:
        """Give the job back; the attempt does not count."""
        self._change(job, state="ready", attempt=jobs.c.attempt - 1)

    def waits(self, task_id: str) -> bool:
        """Whether a job of that id is ready or runs."""
        wanted = select(jobs.c.id).where(jobs.c.task_id == task_id, jobs.c.state.in_(("ready", "running")))
        with self._engine.connect() as connection:
            return connection.execute(wanted).first() is not None

    def reopen(self, keys: Sequence[str]) -> None:
        """Make jobs that do not run ready again, with all their attempts."""
        chosen = jobs.c.task_id.in_(list(keys)) & (jobs.c.state != "running")
        fresh = {"state": "ready", "attempt": 0, "run_at": 0.0, "result": None, "error": None, "files": []}
        with self._write() as connection:
            connection.execute(update(jobs).where(chosen).values(fresh))

    def clear(self) -> None:
        """Forget every job."""
        with self._write() as connection:
            connection.execute(delete(jobs))

    def among(self, *states: State) -> Iterator[StoredJob]:
        """Every job in one of these states, in order, read in pieces."""
        last = 0
        page = select(jobs).where(jobs.c.state.in_(states)).order_by(jobs.c.id).limit(256)
        while True:
            with self._engine.connect() as connection:
                found = [_job(row) for row in connection.execute(page.where(jobs.c.id > last))]
            if not found:
                return
            yield from found
            last = found[-1].id

    def hold_ready(self) -> None:
        """Block what is ready, until `requeue_orphans`."""
        with self._write() as connection:
            connection.execute(update(jobs).where(READY).values(state="blocked"))

    def reject(self, task_id: str, error: Mapping[str, Any]) -> None:
        """End a job that `hold_ready` has blocked and whose line cannot run."""
        chosen = (jobs.c.task_id == task_id) & (jobs.c.state == "blocked")
        ending = {"state": "dead", "error": dict(error), "finished_at": time.time()}
        with self._write() as connection:
            connection.execute(update(jobs).where(chosen).values(ending))

    def requeue_orphans(self) -> None:
        """Make ready what is blocked, and what runs no more as its worker is gone."""
        free = {"state": "ready", "run_at": 0.0}
        back = free | {"attempt": jobs.c.attempt - 1}
        with self._write() as connection:
            connection.execute(update(jobs).where(jobs.c.state == "running").values(back))
            connection.execute(update(jobs).where(jobs.c.state == "blocked").values(free))

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state))
            return dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in rows}

    def all_done(self) -> bool:
        """Whether every job is done; also where there is none."""
        counts = self.counts()
        return counts["done"] == sum(counts.values())

    def _change(self, job: StoredJob, **values: Any) -> None:
        mine = {"job_id": job.id, "job_token": job.token}
        with self._write() as connection:
            if connection.execute(self._ours.values(**values), mine).rowcount != 1:
                raise LeaseLostError(f"job {job.task_id!r} was taken over by another worker")

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise NoSpaceError(
                f"output_dir: the job store cannot be written: {error.orig}",
                hint="free some space, then --resume",
            ) from None


def _claim_of(ready: Select[Any]) -> ReturningUpdate[Any]:
    """Take the job that `ready` finds; on PostgreSQL rows that others are taking are passed over."""
    return (
        update(jobs)
        .where(jobs.c.id == ready.with_for_update(skip_locked=True).scalar_subquery())
        .values(state="running", attempt=jobs.c.attempt + 1, token=jobs.c.token + 1)
        .returning(jobs)
    )


def _job(row: Any) -> StoredJob:
    return StoredJob(
        id=row.id,
        task_id=row.key,
        digest=row.digest,
        affinity=row.affinity,
        state=row.state,
        attempt=row.attempt,
        token=row.token,
        said=row.said,
        # Older stores have planned names here, which prove nothing.
        files=row.files and [file for file in row.files if isinstance(file, dict)],
        result=row.result,
        error=row.error,
        created_at=row.created_at,
    )


def open_store(path: Path) -> JobStore:
    """The store in a SQLite file, made if it is not there.

    Raises:
        ConflictError: the file is of another version, or no store.
        NoSpaceError: the file cannot be written.
    """
    return JobStore(open_database(path))
