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
from wangp_cli.runtime.jobs.store import JobStore, LeaseLostError, NewJob, StoredJob, open_store


def new(key: str, affinity: str = "m", digest: str = "d") -> NewJob:
    return NewJob(task_id=key, digest=digest, affinity=affinity, said={"key": key})


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return open_store(tmp_path / "jobs.sqlite")


def claimed(store: JobStore, key: str = "a") -> StoredJob:
    store.submit([new(key)])
    job = store.claim()
    assert job is not None
    return job


ENDS: list[tuple[str, Callable[[JobStore, StoredJob], None], str]] = [
    ("succeed", lambda store, job: store.succeed(job, {"ok": 1}), "done"),
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


def test_a_worker_that_lost_its_job_cannot_finish_it(store: JobStore) -> None:
    stale = claimed(store)
    store.requeue_orphans()
    fresh = store.claim()
    assert fresh is not None
    assert fresh.attempt == 1
    with pytest.raises(LeaseLostError):
        store.succeed(stale, {})
    store.succeed(fresh, {"by": "fresh"})
    assert store.find(["a"])["a"].result == {"by": "fresh"}


def test_a_job_that_took_the_place_of_another_is_not_its_worker_s(store: JobStore) -> None:
    stale = claimed(store)
    store.release(stale)
    store.submit([new("a", digest="other")])
    assert store.claim() is not None
    with pytest.raises(LeaseLostError):
        store.succeed(stale, {})


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
    store.own(job, Path("a.png"), "0" * 64)
    store.fail(job, {"kind": "x"})
    store.reopen(["a"])
    again = store.claim()
    assert again is not None
    assert (again.attempt, again.error, again.files) == (1, None, [])
    assert again.token == 2


def test_files_of_a_job_are_kept_through_its_attempts(store: JobStore) -> None:
    job = claimed(store)
    for name in ("a.png", "a.json"):
        store.own(job, Path(name), "0" * 64)
    store.fail(job, {"kind": "x"}, retry_after=0)
    again = store.claim()
    assert again is not None
    files = [{"path": "a.png", "sha256": "0" * 64}, {"path": "a.json", "sha256": "0" * 64}]
    assert again.files == files
    with pytest.raises(LeaseLostError):
        store.own(job, Path("b.png"), "0" * 64)
    store.succeed(again, {})
    assert store.find(["a"])["a"].files == files


def test_a_file_of_another_kind_or_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(ConflictError, match="not a job store"):
        open_store(tmp_path / "text")
    open_store(tmp_path / "other").close()
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("update about set value = '99'")
    with pytest.raises(ConflictError, match="another version"):
        open_store(tmp_path / "other")
    with pytest.raises(NoSpaceError):
        open_store(tmp_path / "nowhere" / "jobs.sqlite")


def _claim_all(path: Path, results: Any) -> None:
    store = open_store(path)
    keys = []
    while job := store.claim():
        keys.append(job.task_id)
        store.succeed(job, {})
    results.put(keys)


def test_four_processes_never_claim_the_same(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = open_store(path)
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
    """The store beside a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self._folder.name) / "jobs.sqlite")
        self.states: dict[str, str] = {}
        self.order: list[str] = []
        self.running: dict[str, StoredJob] = {}
        self.stale: list[StoredJob] = []

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()

    @rule(key=KEYS)
    def submit(self, key: str) -> None:
        if self.states.get(key) == "running":
            with pytest.raises(LeaseLostError):
                self.store.submit([new(key)])
            return
        self.store.submit([new(key)])
        self.states[key] = "ready"
        self.order = [other for other in self.order if other != key] + [key]

    @rule()
    def claim(self) -> None:
        job = self.store.claim()
        wanted = next((key for key in self.order if self.states[key] == "ready"), None)
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

    @rule()
    def lose_the_worker(self) -> None:
        self.store.requeue_orphans()
        for key, job in self.running.items():
            self.states[key] = "ready"
            self.stale.append(job)
        self.states = {key: "ready" if s == "blocked" else s for key, s in self.states.items()}
        self.running.clear()

    @rule()
    def hold_ready(self) -> None:
        self.store.hold_ready()
        self.states = {key: "blocked" if s == "ready" else s for key, s in self.states.items()}

    @rule(key=KEYS)
    def reopen(self, key: str) -> None:
        self.store.reopen([key])
        if self.states.get(key) not in (None, "running"):
            self.states[key] = "ready"

    @invariant()
    def agrees(self) -> None:
        assert {key: job.state for key, job in self.store.find(list("abcd")).items()} == self.states
        counts = self.store.counts()
        assert {s: n for s, n in counts.items() if n} == {
            s: list(self.states.values()).count(s) for s in set(self.states.values())
        }


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
