"""The job store: its states, its claims, its tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import context
from tests.support.jobs import ENDS, Clock, new
from wangp_cli.runtime.jobs.store import JobStore
from wangp_cli.runtime.jobs.stored_job import LeaseLostError, StoredJob


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> JobStore:
    return JobStore.open(tmp_path / "jobs.sqlite", clock=clock)


@pytest.fixture
def two(tmp_path: Path, clock: Clock) -> tuple[JobStore, JobStore]:
    """Two workers of one store, whose leases last 10 seconds."""
    path = tmp_path / "jobs.sqlite"
    slow, other = (
        JobStore.open(path, worker=name, lease_seconds=10, clock=clock) for name in ("slow", "other")
    )
    return slow, other


def claimed(store: JobStore, key: str = "a") -> StoredJob:
    store.submit([new(key)])
    job = store.claim()
    assert job is not None
    return job


@pytest.mark.parametrize(("act", "state"), [(act, state) for _, act, state in ENDS], ids=[e[0] for e in ENDS])
def test_a_running_job_ends_once(
    store: JobStore, act: Callable[[JobStore, StoredJob], None], state: str
) -> None:
    job = claimed(store)
    act(store, job)
    assert store.find(["a"])["a"].state == state
    for _, other, _ in ENDS:
        with pytest.raises(LeaseLostError):
            other(store, job)


def test_a_worker_that_lost_its_job_cannot_finish_it(clock: Clock, two: tuple[JobStore, JobStore]) -> None:
    slow, other = two
    stale = claimed(slow)
    assert (stale.worker, stale.lease_until) == ("slow", clock.now + 10)
    assert other.claim() is None
    clock.now += 11
    assert other.requeue_expired() == ["a"]
    fresh = other.claim()
    assert fresh is not None
    assert (fresh.worker, fresh.attempt, fresh.token) == ("other", 1, 2)
    for _, end, _ in ENDS:
        with pytest.raises(LeaseLostError):
            end(slow, stale)
    with pytest.raises(LeaseLostError):
        slow.record_file(stale, Path("a.png"), "0" * 64)
    other.finish(fresh, {"by": "other"})
    assert slow.find(["a"])["a"].result == {"by": "other"}


def test_a_heartbeat_keeps_a_job(clock: Clock, two: tuple[JobStore, JobStore]) -> None:
    slow, other = two
    job = claimed(slow)
    for _ in range(3):
        clock.now += 8
        assert slow.heartbeat([job]) == []
        assert other.requeue_expired() == []
    slow.finish(job, {})


def test_a_heartbeat_tells_which_leases_are_lost(clock: Clock, two: tuple[JobStore, JobStore]) -> None:
    slow, other = two
    slow.submit([new("a"), new("b")])
    jobs = [job for _ in range(2) if (job := slow.claim())]
    clock.now += 11
    other.requeue_expired()
    assert other.claim_task("a") is not None
    assert slow.heartbeat(jobs) == jobs
    assert other.find(["a"])["a"].lease_until == clock.now + 10


def test_an_expired_lease_that_nobody_took_still_ends_well(clock: Clock, store: JobStore) -> None:
    job = claimed(store)
    clock.now += 1000
    store.finish(job, {})
    assert store.requeue_expired() == []
    assert store.counts()["done"] == 1


def test_a_higher_priority_is_claimed_first_also_before_a_loaded_model(store: JobStore) -> None:
    store.submit([new("a"), new("b", priority=1), new("c", "n", priority=1), new("d", "n", priority=2)])
    assert store.claim("m", only=True) is None
    order = [job.task_id for _ in range(4) if (job := store.claim("m"))]
    assert order == ["d", "b", "c", "a"]


def test_a_job_that_took_the_place_of_another_is_not_its_worker_s(store: JobStore) -> None:
    stale = claimed(store)
    store.release(stale)
    store.submit([new("a", digest="other")])
    assert store.claim() is not None
    with pytest.raises(LeaseLostError):
        store.finish(stale, {})


def test_a_running_job_is_not_replaced(store: JobStore) -> None:
    claimed(store)
    with pytest.raises(LeaseLostError):
        store.submit([new("a"), new("b")])
    assert store.find(["b"]) == {}


def test_a_retry_waits_its_time(store: JobStore) -> None:
    store.fail(claimed(store), {"kind": "disk"}, retry_after=60)
    assert store.claim() is None
    assert store.claim_task("a", due=True) is None
    found = store.claim_task("a")
    assert found is not None
    assert found.attempt == 2


def test_like_jobs_are_claimed_together(store: JobStore) -> None:
    store.submit([new("a", "m"), new("b", "n"), new("c", "m")])
    order = [job.task_id for _ in range(2) if (job := store.claim("m", only=True))]
    assert order == ["a", "c"]
    assert store.claim("m", only=True) is None
    job = store.claim("m")
    assert job is not None
    assert job.task_id == "b"


def test_reopening_gives_all_attempts_back(store: JobStore) -> None:
    job = claimed(store)
    store.record_file(job, Path("a.png"), "0" * 64)
    store.fail(job, {"kind": "x"})
    store.retry(["a"])
    again = store.claim()
    assert again is not None
    assert (again.attempt, again.error, again.files) == (1, None, [])
    assert again.token == 2


def test_files_of_a_job_are_kept_through_its_attempts(store: JobStore) -> None:
    job = claimed(store)
    for name in ("a.png", "a.json"):
        store.record_file(job, Path(name), "0" * 64)
    store.fail(job, {"kind": "x"}, retry_after=0)
    again = store.claim()
    assert again is not None
    files = [{"path": "a.png", "sha256": "0" * 64}, {"path": "a.json", "sha256": "0" * 64}]
    assert again.files == files
    with pytest.raises(LeaseLostError):
        store.record_file(job, Path("b.png"), "0" * 64)
    store.finish(again, {})
    assert store.find(["a"])["a"].files == files


def _claim_all(path: Path, results: Any) -> None:
    store = JobStore.open(path)
    keys = []
    while job := store.claim():
        keys.append(job.task_id)
        store.finish(job, {})
    results.put(keys)


def test_four_processes_never_claim_the_same(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = JobStore.open(path)
    store.submit([new(f"j{number}") for number in range(40)])
    results = context().Queue()
    workers = [context().Process(target=_claim_all, args=(path, results), daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    keys = [key for _ in workers for key in results.get(timeout=60)]
    assert len(keys) == len(set(keys)) == 40
    assert store.counts()["done"] == 40


def test_a_clock_that_is_set_back_delays_no_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = JobStore.open(tmp_path / "jobs.sqlite")
    job = claimed(store)
    store.fail(job, {"kind": "oom"}, retry_after=0.05)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    time.sleep(0.1)
    assert store.claim() is not None
