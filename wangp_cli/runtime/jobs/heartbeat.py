"""Heartbeats: extend the leases of running jobs from a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from wangp_cli.errors import WangpError

if TYPE_CHECKING:
    from wangp_cli.runtime.jobs.store import JobStore
    from wangp_cli.runtime.jobs.stored_job import StoredJob

BEATS_PER_LEASE = 6
log = logging.getLogger(__name__)


class Heartbeat:
    """Extends the leases of the jobs that a worker runs, between `start` and `stop`.

    Args:
        store: where the jobs are.
        on_lost: called, in the thread, with each job whose lease another worker has taken.
    """

    def __init__(self, store: JobStore, on_lost: Callable[[StoredJob], object]) -> None:
        self._store = store
        self._on_lost = on_lost
        self._jobs: dict[int, StoredJob] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="wangp-heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def add(self, job: StoredJob) -> None:
        """Extend the lease of a claimed job from now on."""
        self._jobs[job.id] = job

    def drop(self, job: StoredJob) -> None:
        """Leave the lease of a job as it is; to be called before its state is changed."""
        self._jobs.pop(job.id, None)

    def beat(self) -> None:
        """Extend all leases once."""
        for job in self._store.heartbeat(list(self._jobs.values())):
            # A job that ended meanwhile was dropped before its end was stored: its lease is not lost.
            if self._jobs.pop(job.id, None):
                log.warning("job %s was taken over by another worker", job.task_id)
                self._on_lost(job)

    def _run(self) -> None:
        while not self._stop.wait(self._store.lease_seconds / BEATS_PER_LEASE):
            try:
                self.beat()
            except WangpError as error:
                log.warning("leases could not be extended: %s", error)
