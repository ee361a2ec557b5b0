"""Jobs to submit, the ways in which they end, and a clock."""

from __future__ import annotations

from collections.abc import Callable

from wangp_cli.runtime.jobs.store import JobStore
from wangp_cli.runtime.jobs.stored_job import NewJob, StoredJob


def new(task_id: str, affinity: str = "m", digest: str = "d", priority: int = 0) -> NewJob:
    """A job without parents."""
    return NewJob(
        task_id=task_id, digest=digest, affinity=affinity, payload={"name": task_id}, priority=priority
    )


class Clock:
    """A clock that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


ENDS: list[tuple[str, Callable[[JobStore, StoredJob], None], str]] = [
    ("finish", lambda store, job: store.finish(job, {"ok": 1}), "done"),
    ("fail", lambda store, job: store.fail(job, {"kind": "x"}), "dead"),
    ("retry", lambda store, job: store.fail(job, {"kind": "x"}, retry_after=0), "ready"),
    ("cancel", lambda store, job: store.cancel(job), "cancelled"),
    ("release", lambda store, job: store.release(job), "ready"),
]
"""Name, call and resulting state of each way in which a running job ends."""
