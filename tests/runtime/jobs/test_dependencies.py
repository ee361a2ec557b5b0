"""Jobs with parents: blocked until all parents are done, cancelled when one dies."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wangp_cli.errors import ConflictError, RequestError
from wangp_cli.runtime.jobs.store import JobStore
from wangp_cli.runtime.jobs.stored_job import NewJob, StoredJob


def new(task_id: str, *parents: str, priority: int = 0) -> NewJob:
    return NewJob(task_id=task_id, digest="d", affinity="m", payload={}, priority=priority, parents=parents)


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore.open(tmp_path / "jobs.sqlite")


def states(store: JobStore) -> str:
    """The states of the jobs a, b, c ... as text."""
    return " ".join(job.state for _, job in sorted(store.find(list("abcdef")).items()))


def claimed(store: JobStore, task_id: str) -> StoredJob:
    job = store.claim()
    assert job is not None
    assert job.task_id == task_id
    return job


def test_a_child_runs_after_all_its_parents(store: JobStore) -> None:
    # A child is blocked whatever its priority and its place.
    store.submit([new("c", "a", "b", priority=9), new("a"), new("b")])
    assert states(store) == "ready ready blocked"
    store.finish(claimed(store, "a"), {})
    assert states(store) == "done ready blocked"
    store.finish(claimed(store, "b"), {})
    store.finish(claimed(store, "c"), {})
    assert states(store) == "done done done"


def test_a_failed_attempt_does_not_unblock_and_a_release_neither(store: JobStore) -> None:
    store.submit([new("a"), new("b", "a")])
    store.fail(claimed(store, "a"), {"kind": "x"}, retry_after=0)
    store.release(claimed(store, "a"))
    assert states(store) == "ready blocked"


@pytest.mark.parametrize("end", ["dead", "cancelled"])
def test_descendants_of_a_job_that_ends_otherwise_are_cancelled(store: JobStore, end: str) -> None:
    store.submit([new("a"), new("b", "a"), new("c", "b"), new("d", "c"), new("e")])
    job = claimed(store, "a")
    if end == "dead":
        store.fail(job, {"kind": "x"})
    else:
        store.cancel(job)
    assert states(store) == f"{end} cancelled cancelled cancelled ready"
    error = store.find(["d"])["d"].error
    assert error is not None
    assert error["kind"] == "upstream_failed"
    store.retry(["a"])
    assert states(store) == "ready blocked blocked blocked ready"
    for name in "abcd":
        store.finish(claimed(store, name), {})
    assert states(store) == "done done done done ready"


def test_a_retry_leaves_what_the_user_cancelled(store: JobStore) -> None:
    store.submit([new("a"), new("b", "a")])
    store.finish(claimed(store, "a"), {})
    store.cancel(claimed(store, "b"))
    store.retry(["a"])
    assert states(store) == "ready cancelled"


def test_a_child_of_a_dead_job_is_cancelled_at_once(store: JobStore) -> None:
    store.submit([new("a")])
    store.fail(claimed(store, "a"), {"kind": "x"})
    store.submit([new("b", "a")])
    assert states(store) == "dead cancelled"


def test_a_parent_that_is_replaced_blocks_its_child_again(store: JobStore) -> None:
    store.submit([new("a"), new("b", "a")])
    store.finish(claimed(store, "a"), {})
    store.submit([new("a")])
    assert states(store) == "ready blocked"
    store.submit([new("b")])
    assert states(store) == "ready ready"


@pytest.mark.parametrize("batch", [[new("b", "a"), new("a", "b")], [new("a", "a")]])
def test_a_circle_is_refused_and_nothing_is_added(store: JobStore, batch: list[NewJob]) -> None:
    with pytest.raises(ConflictError, match="depend on itself"):
        store.submit(batch)
    assert sum(store.counts().values()) == 0


def test_a_circle_through_a_job_that_is_there_is_refused(store: JobStore) -> None:
    store.submit([new("a"), new("b", "a")])
    with pytest.raises(ConflictError, match="depend on itself"):
        store.submit([new("a", "b")])
    assert states(store) == "ready blocked"


def test_an_unknown_parent_is_refused(store: JobStore) -> None:
    with pytest.raises(RequestError, match="no job 'x'"):
        store.submit([new("a"), new("b", "x")])
    assert sum(store.counts().values()) == 0


@settings(max_examples=8)
@given(data=st.data())
def test_no_job_of_any_graph_runs_before_its_parents(data: st.DataObject) -> None:
    names = [f"j{number}" for number in range(8)]
    parents = {
        name: data.draw(st.lists(st.sampled_from(names[:index]), max_size=3, unique=True)) if index else []
        for index, name in enumerate(names)
    }
    with tempfile.TemporaryDirectory() as folder:
        store = JobStore.open(Path(folder) / "jobs.sqlite")
        order = data.draw(st.permutations(names))
        store.submit([new(name, *parents[name]) for name in order])
        done: set[str] = set()
        bad: set[str] = set()
        while job := store.claim():
            assert done.issuperset(parents[job.task_id])
            if data.draw(st.booleans()):
                store.finish(job, {})
                done.add(job.task_id)
            else:
                store.fail(job, {"kind": "x"})
                bad.add(job.task_id)
        for name in names:
            if bad.intersection(parents[name]):
                bad.add(name)
        counts = store.counts()
        assert counts["done"] == len(done)
        assert counts["done"] + counts["dead"] + counts["cancelled"] == len(names)
        assert counts["dead"] + counts["cancelled"] == len(bad)
        store.close()
