"""Jobs as they go into the store and come out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from wangp_cli.errors import WangpError

State: TypeAlias = Literal["blocked", "ready", "running", "done", "dead", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to submit.

    Args:
        task_id: unique in the store.
        digest: sha256 of the request; equal requests have equal digests.
        affinity: equal for jobs that need the same model loaded in the same way.
        payload: what a worker needs to run it.
        priority: jobs of a higher one are claimed first.
        parents: task ids of jobs that must be done before it runs.
    """

    task_id: str
    digest: str
    affinity: str | None
    payload: Mapping[str, Any]
    priority: int = 0
    parents: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    """A row of the store.

    Args:
        attempt: number of attempts so far, the running one included.
        token: raised by each claim; proves that a running job belongs to the caller.
        worker: who claimed it; None where it does not run.
        lease_until: when its lease expires, in seconds since the epoch.
        files: `path` and `sha256` of each file that it wrote; recorded before the file took its name;
            None for done jobs of older stores.
    """

    id: int
    task_id: str
    digest: str
    affinity: str | None
    priority: int
    state: State
    attempt: int
    token: int
    worker: str | None
    lease_until: float | None
    payload: dict[str, Any]
    files: list[dict[str, str]] | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: float


class LeaseLostError(WangpError):
    """Another worker may run the job now; the caller must stop and discard what it made."""

    kind = "lease_lost"


def stored_job(row: Any) -> StoredJob:
    """The job of a row of the job table; a result, an error and files that are none of ours prove nothing."""
    return StoredJob(
        id=row.id,
        task_id=row.task_id,
        digest=row.digest,
        affinity=row.affinity,
        priority=row.priority,
        state=row.state,
        attempt=row.attempt,
        token=row.token,
        worker=row.worker,
        lease_until=row.lease_until,
        payload=row.payload,
        files=None if row.files is None else _files(row.files),
        result=row.result if isinstance(row.result, dict) else None,
        error=row.error if isinstance(row.error, dict) else None,
        created_at=row.created_at,
    )


def _files(stored: Any) -> list[dict[str, str]]:
    # Old stores have planned names here.
    return [file for file in stored if isinstance(file, dict)] if isinstance(stored, list) else []
