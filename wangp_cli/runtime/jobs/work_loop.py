"""Work loop: claim jobs of a store, run them, keep their leases, report how they ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from wangp_cli.runtime.jobs.store import JobStore
    from wangp_cli.runtime.jobs.stored_job import StoredJob
    from wangp_cli.runtime.jobs.worker import Worker
    from wangp_cli.runtime.outcome import Outcome
    from wangp_cli.tasks.fields import Order


class WorkLoop:
    """Runs the jobs of a store one after another, or stage by stage in groups.

    Several loops, in one process or in many, may share a store. Jobs are run inside of the loop's context,
    which extends their leases.

    Args:
        store: where jobs are claimed.
        worker: runs them.
        on_end: called with each job that was run and its outcome, also when it will be tried again.
        order: `given`: by priority and age; `model`: first the jobs that the loaded model can run; `phase`:
            also each stage of a group of jobs before the next stage.
        group: how many jobs at most go through their stages together.
        only: task ids to run, in this order; all if it is empty.
    """

    def __init__(
        self,
        store: JobStore,
        worker: Worker,
        on_end: Callable[[StoredJob, Outcome], None],
        *,
        order: Order = "given",
        group: int = 64,
        only: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._worker = worker
        self._on_end = on_end
        self._order = order
        self._group = group
        self._only = only
        self._affinity: str | None = None

    def __enter__(self) -> Self:
        """Begin to extend the leases of the jobs that run."""
        self._worker.heartbeat.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End the heartbeats."""
        self._worker.heartbeat.stop()

    def run_next(self, limit: int | None = None) -> bool:
        """Claim and run the next job or group, of at most `limit` jobs; false if none is ready."""
        jobs = self._claim(limit)
        if not jobs and self._store.requeue_expired():
            jobs = self._claim(limit)
        if self._order == "phase":
            for job, outcome in self._worker.run_by_stage(jobs):
                self._end(job, outcome)
        else:
            for job in jobs:
                self._end(job, self._worker.run(job))
        return bool(jobs)

    def run_now(self, task_id: str) -> bool:
        """Run one job, also before the time of its next attempt; false if it is not ready."""
        job = self._store.claim_task(task_id)
        if job:
            self._end(job, self._worker.run(job))
        return job is not None

    def ready_count(self) -> int:
        """How many jobs are ready, now or at the time of their next attempt."""
        if self._only:
            return sum(map(self._store.is_queued, self._only))
        return self._store.counts()["ready"]

    def _claim(self, limit: int | None) -> list[StoredJob]:
        store = self._store
        if self._only:
            chosen = (store.claim_task(task_id, due=True) for task_id in self._only)
            return list(islice(filter(None, chosen), 1))
        first = store.claim(None if self._order == "given" else self._affinity)
        jobs = [] if first is None else [first]
        if first is None or self._order != "phase":
            return jobs
        room = self._group if limit is None else min(self._group, limit)
        while len(jobs) < room and (more := store.claim(first.affinity, only=True)):
            jobs.append(more)
        return jobs

    def _end(self, job: StoredJob, outcome: Outcome) -> None:
        self._affinity = job.affinity
        self._on_end(job, outcome)
