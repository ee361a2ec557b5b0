"""Job store of a batch: one process works on it at a time, and rereads its task file before it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update

from wangp_cli.runtime.jobs.dependencies import cancel_descendants
from wangp_cli.runtime.jobs.store import JobStore
from wangp_cli.runtime.jobs.stored_job import StoredJob
from wangp_cli.runtime.jobs.tables import READY, RUNNING, jobs


class BatchStore(JobStore):
    """Jobs of a batch folder.

    The worker is named after the lock of the folder: for the holder of the lock, running jobs of that worker
    belong to a process that is gone.
    """

    def orphans(self) -> list[StoredJob]:
        """Running jobs whose process is gone or whose lease expired; only to be called under the lock."""
        return [job for job in self.in_states("running") if self._is_orphan(job)]

    def requeue_orphans(self) -> None:
        """Set these jobs to ready; the attempt does not count."""
        self._requeue(RUNNING & ((jobs.c.worker == self.worker) | (jobs.c.lease_until < self._clock())))

    def _is_orphan(self, job: StoredJob) -> bool:
        return job.worker == self.worker or (job.lease_until or 0.0) < self._clock()

    def hold_ready(self) -> None:
        """Keep ready jobs from being claimed until `release_held`."""
        with self._write() as connection:
            connection.execute(update(jobs).where(READY).values(held=True))

    def release_held(self) -> None:
        """Let held jobs be claimed, at once also where they wait for another attempt."""
        with self._write() as connection:
            connection.execute(update(jobs).where(jobs.c.held).values(held=False, run_at=0.0))

    def reject_held(self, task_id: str, error: Mapping[str, Any]) -> None:
        """Set a held job to dead because its line of the task file is wrong now."""
        chosen = (jobs.c.task_id == task_id) & jobs.c.held
        ending = {"state": "dead", "held": False, "error": dict(error), "finished_at": self._clock()}
        with self._write() as connection:
            if connection.execute(update(jobs).where(chosen).values(ending)).rowcount:
                cancel_descendants(connection, task_id)

    def claimable_count(self) -> int:
        """How many jobs are ready and not held."""
        with self._read() as connection:
            return connection.execute(select(func.count()).select_from(jobs).where(READY)).scalar_one()

    def all_done(self) -> bool:
        """Whether every job is done; true also where there is none."""
        counts = self.counts()
        return counts["done"] == sum(counts.values())
