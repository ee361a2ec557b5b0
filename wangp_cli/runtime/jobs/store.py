"""Job store: the queue of jobs in a database, with leases, priorities and dependencies.

Several workers may share a store. A worker claims a job for a limited time, the lease, which it extends by
heartbeats. Each claim raises the fencing token of the job, and every change of a running job carries the
token: a worker whose lease expired and whose job was claimed again cannot change it.
"""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from wangp_cli.runtime.jobs.database import open_database, transaction
from wangp_cli.runtime.jobs.dependencies import (
    HAS_CHILDREN,
    cancel_descendants,
    reopen_descendants,
    replace_parents,
    unblock_children,
)
from wangp_cli.runtime.jobs.stored_job import LeaseLostError, NewJob, State, StoredJob, stored_job
from wangp_cli.runtime.jobs.tables import READY, RUNNING, STATES, dependencies, jobs

FOREVER = 1e15
LEASE_SECONDS = 120.0


class JobStore:
    """Jobs in a database, as one worker uses them.

    Args:
        engine: from `open_database`.
        worker: name of the worker, recorded with each job that it claims; unique if it is not given.
        lease_seconds: how long a claim or a heartbeat keeps a job from other workers.
        clock: gives seconds since the epoch; by default one that does not jump when the system's is set.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        worker: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._engine = engine
        self._path = Path(engine.url.database) if engine.url.database else None
        self.worker = worker or f"{platform.node()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.lease_seconds = lease_seconds
        self._clock = clock or _steady_clock()
        # Statements are built once: building one costs more than running it.
        self._find = select(jobs).where(jobs.c.task_id.in_(bindparam("task_ids", expanding=True)))
        due = select(jobs.c.id).where(READY, jobs.c.run_at <= bindparam("now"))
        best = due.with_only_columns(jobs.c.priority).order_by(jobs.c.priority.desc()).limit(1)
        same = due.where(jobs.c.affinity == bindparam("wanted"), jobs.c.priority == best.scalar_subquery())
        self._claim_next = _claim_first(due)
        self._claim_same = _claim_first(same)
        self._claim_task = _claim_first(due.where(jobs.c.task_id == bindparam("wanted")))
        self._files = select(jobs.c.files).where(jobs.c.id == bindparam("job_id"))
        self._update_claimed = update(jobs).where(
            jobs.c.id == bindparam("job_id"), jobs.c.token == bindparam("job_token"), RUNNING
        )

    @classmethod
    def open(cls, path: Path, **options: Any) -> Self:
        """Open the store in a SQLite file; create it if there is none.

        Args:
            path: of the file; its folder must be there.
            options: keyword arguments of the class.

        Raises:
            ConflictError: the file has a newer schema version, is damaged, or is not a job store.
            NoSpaceError: the file cannot be written.
        """
        return cls(open_database(path), **options)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def submit(self, batch: Sequence[NewJob]) -> None:
        """Add jobs in one transaction; a job of the same task id that does not run is replaced.

        Raises:
            LeaseLostError: a job of the same task id runs.
            RequestError: a parent is not in the store.
            ConflictError: a job would depend on itself.
        """
        if not batch:
            return
        now = self._clock()
        rows: list[dict[str, Any]] = [
            {
                "task_id": new.task_id,
                "digest": new.digest,
                "affinity": new.affinity,
                "priority": new.priority,
                "state": "ready",
                "payload": dict(new.payload),
                "files": [],
                "created_at": now,
            }
            for new in batch
        ]
        with self._write() as connection:
            existing = connection.execute(self._find, {"task_ids": [new.task_id for new in batch]}).all()
            if running := next((row.task_id for row in existing if row.state == "running"), None):
                raise LeaseLostError(f"job {running!r} runs")
            if existing:
                connection.execute(delete(jobs).where(jobs.c.id.in_([row.id for row in existing])))
            connection.execute(insert(jobs), rows)
            if existing or any(new.parents for new in batch):
                replace_parents(connection, {new.task_id: new.parents for new in batch})

    def claim(self, affinity: str | None = None, *, only: bool = False) -> StoredJob | None:
        """Take the ready job of the highest priority, the oldest of them; None if none is ready.

        Args:
            affinity: of that priority, one with this affinity first.
            only: take no other.
        """
        with self._write() as connection:
            row = None
            if affinity is not None:
                row = self._execute_claim(connection, self._claim_same, wanted=affinity)
            if row is None and not only:
                row = self._execute_claim(connection, self._claim_next)
            return stored_job(row) if row is not None else None

    def claim_task(self, task_id: str, *, due: bool = False) -> StoredJob | None:
        """Take one job if it is ready; with `due` not before the time of its next attempt."""
        now = self._clock() if due else FOREVER
        with self._write() as connection:
            row = self._execute_claim(connection, self._claim_task, wanted=task_id, now=now)
            return stored_job(row) if row is not None else None

    def heartbeat(self, running: Iterable[StoredJob]) -> list[StoredJob]:
        """Extend the leases of running jobs; returns those whose lease is lost."""
        until = {"lease_until": self._clock() + self.lease_seconds}
        with self._write() as connection:
            return [job for job in running if self._change(connection, job, until) is None]

    def record_file(self, job: StoredJob, path: Path, sha256: str) -> None:
        """Record a complete file of the running job before it takes its name, to know it after a crash.

        Raises:
            LeaseLostError: the job is not the caller's any more.
        """
        with self._write() as connection:
            files = connection.execute(self._files, {"job_id": job.id}).scalar_one_or_none() or []
            values = {"files": [*files, {"path": str(path), "sha256": sha256}]}
            self._require_claim(job, self._change(connection, job, values))

    def finish(self, job: StoredJob, result: Mapping[str, Any]) -> None:
        """Set the running job to done; children whose parents are all done become ready."""
        with self._write() as connection:
            if self._end(connection, job, state="done", result=dict(result), error=None):
                unblock_children(connection, job.task_id)

    def fail(self, job: StoredJob, error: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        """Set the running job to ready after some seconds, or to dead, which cancels its descendants."""
        if retry_after is not None:
            retry_at = self._clock() + retry_after
            self._update(
                job, state="ready", run_at=retry_at, error=dict(error), worker=None, lease_until=None
            )
            return
        with self._write() as connection:
            if self._end(connection, job, state="dead", error=dict(error)):
                cancel_descendants(connection, job.task_id)

    def cancel(self, job: StoredJob) -> None:
        """Set the running job and its descendants to cancelled."""
        with self._write() as connection:
            if self._end(connection, job, state="cancelled"):
                cancel_descendants(connection, job.task_id)

    def release(self, job: StoredJob) -> None:
        """Set the running job to ready again; the attempt does not count."""
        self._update(job, state="ready", attempt=jobs.c.attempt - 1, worker=None, lease_until=None)

    def retry(self, task_ids: Sequence[str]) -> None:
        """Set jobs that do not run to ready, with all attempts; descendants cancelled with them reopen."""
        chosen = jobs.c.task_id.in_(list(task_ids)) & (jobs.c.state != "running")
        fresh = {"state": "ready", "held": False, "attempt": 0, "run_at": 0.0, "files": []}
        fresh |= {"result": None, "error": None}
        with self._write() as connection:
            rows = connection.execute(update(jobs).where(chosen).values(fresh).returning(HAS_CHILDREN))
            if any(rows.scalars().all()):
                reopen_descendants(connection, task_ids)

    def requeue_expired(self) -> list[str]:
        """Set running jobs whose lease expired to ready; their attempt does not count. Returns task ids."""
        return self._requeue(RUNNING & (jobs.c.lease_until < self._clock()))

    def find(self, task_ids: Sequence[str]) -> dict[str, StoredJob]:
        """The jobs of these task ids that are in the store."""
        with self._read() as connection:
            rows = connection.execute(self._find, {"task_ids": list(task_ids)})
            return {row.task_id: stored_job(row) for row in rows}

    def is_queued(self, task_id: str) -> bool:
        """Whether the job of a task id is ready or runs."""
        query = select(jobs.c.id).where(jobs.c.task_id == task_id, READY | RUNNING)
        with self._read() as connection:
            return connection.execute(query).first() is not None

    def in_states(self, *states: State) -> Iterator[StoredJob]:
        """Every job in one of these states, the oldest first, read page by page."""
        last = 0
        page = select(jobs).where(jobs.c.state.in_(states)).order_by(jobs.c.id).limit(256)
        while True:
            with self._read() as connection:
                rows = [stored_job(row) for row in connection.execute(page.where(jobs.c.id > last))]
            if not rows:
                return
            yield from rows
            last = rows[-1].id

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self._read() as connection:
            rows = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state))
            return dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in rows}

    def clear(self) -> None:
        """Delete every job."""
        with self._write() as connection:
            connection.execute(delete(dependencies))
            connection.execute(delete(jobs))

    def _execute_claim(self, connection: Connection, claim: ReturningUpdate[Any], **values: Any) -> Any:
        now = self._clock()
        lease = {"new_worker": self.worker, "new_lease": now + self.lease_seconds}
        return connection.execute(claim, {"now": now, **lease, **values}).one_or_none()

    def _requeue(self, chosen: Any) -> list[str]:
        back = {"state": "ready", "run_at": 0.0, "attempt": jobs.c.attempt - 1}
        statement = update(jobs).where(chosen).values(back | {"worker": None, "lease_until": None})
        with self._write() as connection:
            return list(connection.execute(statement.returning(jobs.c.task_id)).scalars())

    def _end(self, connection: Connection, job: StoredJob, **values: Any) -> bool:
        """Give the running job its final state; whether it has children."""
        values |= {"finished_at": self._clock(), "worker": None, "lease_until": None}
        return self._require_claim(job, self._change(connection, job, values))

    def _update(self, job: StoredJob, **values: Any) -> None:
        with self._write() as connection:
            self._require_claim(job, self._change(connection, job, values))

    def _change(self, connection: Connection, job: StoredJob, values: Mapping[str, Any]) -> bool | None:
        """Change the running job; whether it has children, None if it is not the caller's any more."""
        statement = self._update_claimed.values(**values).returning(HAS_CHILDREN)
        return connection.execute(statement, {"job_id": job.id, "job_token": job.token}).scalar_one_or_none()

    def _require_claim(self, job: StoredJob, has_children: bool | None) -> bool:
        if has_children is None:
            raise LeaseLostError(f"job {job.task_id!r} was taken over by another worker")
        return has_children

    def _write(self) -> AbstractContextManager[Connection]:
        return transaction(self._engine, self._path)

    def _read(self) -> AbstractContextManager[Connection]:
        return transaction(self._engine, self._path, read_only=True)


def _steady_clock() -> Callable[[], float]:
    """A clock that shows the time of the system's at this moment, and goes on evenly from there."""
    offset = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset


def _claim_first(ready: Select[Any]) -> ReturningUpdate[Any]:
    """Claim the first of `ready` jobs; PostgreSQL skips rows that other workers are claiming."""
    first = ready.order_by(jobs.c.priority.desc(), jobs.c.id).limit(1)
    return (
        update(jobs)
        .where(jobs.c.id == first.with_for_update(skip_locked=True).scalar_subquery())
        .values(
            state="running",
            attempt=jobs.c.attempt + 1,
            token=jobs.c.token + 1,
            worker=bindparam("new_worker"),
            lease_until=bindparam("new_lease"),
        )
        .returning(jobs)
    )
