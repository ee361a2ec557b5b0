"""The job store: its states, its claims, its tokens."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.batches import context
from wangp_cli.errors import ConflictError, NoSpaceError
from wangp_cli.runtime.jobs.batch_store import BatchStore
from wangp_cli.runtime.jobs.store import LEASE_SECONDS, JobStore
from wangp_cli.runtime.jobs.stored_job import LeaseLostError, NewJob, StoredJob


def new(task_id: str, affinity: str = "m", digest: str = "d", priority: int = 0) -> NewJob:
    return NewJob(
        task_id=task_id, digest=digest, affinity=affinity, payload={"name": task_id}, priority=priority
    )


class Clock:
    """A clock that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


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


ENDS: list[tuple[str, Callable[[JobStore, StoredJob], None], str]] = [
    ("finish", lambda store, job: store.finish(job, {"ok": 1}), "done"),
    ("fail", lambda store, job: store.fail(job, {"kind": "x"}), "dead"),
    ("retry", lambda store, job: store.fail(job, {"kind": "x"}, retry_after=0), "ready"),
    ("cancel", lambda store, job: store.cancel(job), "cancelled"),
    ("release", lambda store, job: store.release(job), "ready"),
]


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


def test_a_file_of_another_kind_or_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(ConflictError, match="not a job store"):
        JobStore.open(tmp_path / "text")
    JobStore.open(tmp_path / "other").close()
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("update about set value = '99'")
    with pytest.raises(ConflictError, match="another version"):
        JobStore.open(tmp_path / "other")
    with pytest.raises(NoSpaceError):
        JobStore.open(tmp_path / "nowhere" / "jobs.sqlite")


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


KEYS = st.sampled_from("abcd")


class Jobs(RuleBasedStateMachine):
    """The store of a batch beside a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.store = BatchStore.open(
            Path(self._folder.name) / "jobs.sqlite", worker="batch.lock", clock=self.clock
        )
        self.states: dict[str, str] = {}
        self.held: set[str] = set()
        self.priorities: dict[str, int] = {}
        self.order: list[str] = []
        self.running: dict[str, StoredJob] = {}
        self.stale: list[StoredJob] = []

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()

    @rule(key=KEYS, priority=st.integers(0, 2))
    def submit(self, key: str, priority: int) -> None:
        if self.states.get(key) == "running":
            with pytest.raises(LeaseLostError):
                self.store.submit([new(key)])
            return
        self.store.submit([new(key, priority=priority)])
        self.states[key] = "ready"
        self.held.discard(key)
        self.priorities[key] = priority
        self.order = [other for other in self.order if other != key] + [key]

    @rule()
    def claim(self) -> None:
        job = self.store.claim()
        ready = [key for key in self.order if self.states[key] == "ready" and key not in self.held]
        wanted = max(ready, key=self.priorities.__getitem__, default=None)
        assert (job.task_id if job else None) == wanted
        if job:
            self.states[job.task_id] = "running"
            self.running[job.task_id] = job

    @precondition(lambda self: self.running)
    @rule(data=st.data(), end=st.sampled_from(ENDS))
    def finish(self, data: Any, end: tuple[str, Callable[[JobStore, StoredJob], None], str]) -> None:
        job = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        end[1](self.store, job)
        self.states[job.task_id] = end[2]
        self.stale.append(job)

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), end=st.sampled_from(ENDS))
    def finish_again(self, data: Any, end: tuple[str, Callable[[JobStore, StoredJob], None], str]) -> None:
        with pytest.raises(LeaseLostError):
            end[1](self.store, data.draw(st.sampled_from(self.stale)))

    @rule(expire=st.booleans())
    def lose_the_worker(self, expire: bool) -> None:
        if expire:
            assert self.store.requeue_expired() == []
            self.clock.now += LEASE_SECONDS + 1
            assert sorted(self.store.requeue_expired()) == sorted(self.running)
        else:
            assert {job.task_id for job in self.store.orphans()} == self.running.keys()
            self.store.requeue_orphans()
        for key, job in self.running.items():
            self.states[key] = "ready"
            self.stale.append(job)
        self.running.clear()

    @rule()
    def hold_ready(self) -> None:
        self.store.hold_ready()
        self.held |= {key for key, state in self.states.items() if state == "ready"}

    @rule()
    def release_held(self) -> None:
        self.store.release_held()
        self.held.clear()

    @rule(key=KEYS)
    def reject_held(self, key: str) -> None:
        self.store.reject_held(key, {"kind": "request"})
        if key in self.held:
            self.held.discard(key)
            self.states[key] = "dead"

    @rule(key=KEYS)
    def retry(self, key: str) -> None:
        self.store.retry([key])
        if self.states.get(key) not in (None, "running"):
            self.states[key] = "ready"
            self.held.discard(key)

    @invariant()
    def agrees(self) -> None:
        assert {key: job.state for key, job in self.store.find(list("abcd")).items()} == self.states
        counts = self.store.counts()
        assert {s: n for s, n in counts.items() if n} == {
            s: list(self.states.values()).count(s) for s in set(self.states.values())
        }


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
