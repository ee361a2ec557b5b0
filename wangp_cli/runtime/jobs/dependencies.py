"""Dependencies between jobs: a child is blocked until all its parents are done."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, delete, exists, insert, literal, select, update

from wangp_cli.errors import ConflictError, RequestError
from wangp_cli.runtime.jobs.tables import dependencies, jobs

UPSTREAM_FAILED = "upstream_failed"
"""Error kind of a job that was cancelled because an ancestor died or was cancelled."""
HAS_CHILDREN = exists().where(dependencies.c.parent == jobs.c.task_id).correlate(jobs)
"""Whether a job has children; for the RETURNING clause of a statement that changes the job."""

_parents = jobs.alias("parents")
_HAS_UNFINISHED_PARENT = (
    exists()
    .where(
        dependencies.c.child == jobs.c.task_id,
        _parents.c.task_id == dependencies.c.parent,
        _parents.c.state != "done",
    )
    .correlate(jobs)
)
_CHILDREN = select(dependencies.c.child).where(
    dependencies.c.parent.in_(bindparam("task_ids", expanding=True))
)
_descendants = _CHILDREN.cte("descendants", recursive=True)
_descendants = _descendants.union(
    select(dependencies.c.child).where(dependencies.c.parent == _descendants.c.child)
)
_DESCENDANTS = select(_descendants.c.child)
_UNBLOCK = (
    update(jobs)
    .where(jobs.c.state == "blocked", jobs.c.task_id.in_(_CHILDREN), ~_HAS_UNFINISHED_PARENT)
    .values(state="ready")
)
_BLOCK = update(jobs).where(jobs.c.state == "ready", _HAS_UNFINISHED_PARENT).values(state="blocked")
_REOPEN = (
    update(jobs)
    .where(
        jobs.c.state == "cancelled",
        jobs.c.error["kind"].as_string() == UPSTREAM_FAILED,
        jobs.c.task_id.in_(_DESCENDANTS),
    )
    .values(state="ready", attempt=0, run_at=0.0, error=None, finished_at=None)
)


def replace_parents(connection: Connection, parents: Mapping[str, Collection[str]]) -> None:
    """Set the parents of newly inserted jobs and block the jobs whose parents are not done.

    Args:
        connection: its transaction has inserted the jobs.
        parents: task ids of the parents, by task id of the child.

    Raises:
        RequestError: a parent is not in the store.
        ConflictError: a job would depend on itself.
    """
    edges = [(child, parent) for child, of_child in parents.items() for parent in dict.fromkeys(of_child)]
    wanted = {parent for _, parent in edges}
    states = _states(connection, wanted)
    if missing := sorted(wanted - states.keys()):
        raise RequestError("parents", f"there is no job {missing[0]!r}")
    connection.execute(delete(dependencies).where(dependencies.c.child.in_(list(parents))))
    if edges:
        connection.execute(
            insert(dependencies), [{"child": child, "parent": parent} for child, parent in edges]
        )
    for child in dict.fromkeys(child for child, _ in edges):
        if child in connection.execute(_DESCENDANTS, {"task_ids": [child]}).scalars().all():
            raise ConflictError(f"parents: job {child!r} would depend on itself")
    connection.execute(_BLOCK)
    for parent in sorted(parent for parent, state in states.items() if state in ("dead", "cancelled")):
        cancel_descendants(connection, parent)


def _states(connection: Connection, task_ids: Collection[str]) -> dict[str, str]:
    rows = connection.execute(select(jobs.c.task_id, jobs.c.state).where(jobs.c.task_id.in_(list(task_ids))))
    return {row.task_id: row.state for row in rows}


def unblock_children(connection: Connection, parent: str) -> None:
    """Make the children of a done job ready, if their other parents are done, too."""
    connection.execute(_UNBLOCK, {"task_ids": [parent]})


def cancel_descendants(connection: Connection, parent: str, finished_at: float | None = None) -> None:
    """Cancel all blocked descendants of a job that died or was cancelled."""
    error = {"kind": UPSTREAM_FAILED, "message": f"job {parent!r}, which it depends on, is not done"}
    connection.execute(
        update(jobs)
        .where(jobs.c.state == literal("blocked"), jobs.c.task_id.in_(_DESCENDANTS))
        .values(state="cancelled", error=error, finished_at=finished_at),
        {"task_ids": [parent]},
    )


def reopen_descendants(connection: Connection, task_ids: Collection[str]) -> None:
    """Reopen the descendants that were cancelled with jobs that are retried now, as blocked jobs."""
    connection.execute(_REOPEN, {"task_ids": list(task_ids)})
    connection.execute(_BLOCK)
