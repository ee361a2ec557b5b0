"""Work loops of several processes share a store."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support import noop
from tests.support.batches import context
from wangp_cli.files.checksum import sha256_of
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.jobs.store import JobStore
from wangp_cli.runtime.jobs.stored_job import NewJob
from wangp_cli.runtime.jobs.work_loop import WorkLoop
from wangp_cli.runtime.jobs.worker import Worker
from wangp_cli.runtime.session import Session

LEASE_SECONDS = 1.5


def work(store: JobStore, session: Session, until_done: int = 0) -> list[tuple[str, str]]:
    """Run jobs until none is ready and so many are done; gives the task ids and outcomes."""
    ends: list[tuple[str, str]] = []
    loop = WorkLoop(
        store,
        Worker(store=store, session=session),
        lambda job, outcome: ends.append((job.task_id, outcome.status)),
    )
    until = time.monotonic() + 60
    with loop:
        while loop.run_next() or store.counts()["done"] < until_done:
            assert time.monotonic() < until
            time.sleep(0.05)
    return ends


def _work(path: Path, environment: dict[str, str], results: Any) -> None:
    os.environ.update(environment)
    store = JobStore.open(path, worker="child", lease_seconds=LEASE_SECONDS)
    results.put(work(store, bootstrap.start([], adapters=noop.ADAPTERS)))


def start(path: Path, environment: dict[str, str]) -> tuple[Any, Any]:
    """A worker in another process that has claimed a job; and where its outcomes come."""
    results = context().Queue()
    child = context().Process(target=_work, args=(path, environment, results), daemon=True)
    child.start()
    store = JobStore.open(path)
    until = time.monotonic() + 60
    while not store.counts()["running"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    return child, results


def test_a_paused_worker_loses_its_job_to_another_which_runs_it_once(
    session: Session, job_of: Callable[..., NewJob], environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "jobs.sqlite"
    store = JobStore.open(path, worker="parent", lease_seconds=LEASE_SECONDS)
    store.submit([job_of(task_id="a", prompt="sleep", steps=50)])
    child, results = start(path, environment)
    os.kill(child.pid, signal.SIGSTOP)
    try:
        assert work(store, session, until_done=1) == [("a", "completed")]
    finally:
        os.kill(child.pid, signal.SIGCONT)
    [(task_id, status)] = results.get(timeout=60)
    child.join(60)
    assert task_id == "a"
    assert status in ("failed", "cancelled", "rejected")
    done = store.find(["a"])["a"]
    assert (done.state, done.attempt, done.token) == ("done", 1, 2)
    [file] = done.files or []
    assert [str(made) for made in (tmp_path / "out").glob("*.png")] == [file["path"]]
    assert sha256_of(Path(file["path"])) == file["sha256"]


def test_the_job_of_a_killed_worker_runs_after_its_lease(
    session: Session, job_of: Callable[..., NewJob], environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "jobs.sqlite"
    store = JobStore.open(path, worker="parent", lease_seconds=LEASE_SECONDS)
    store.submit([job_of(task_id="a", prompt="sleep", steps=50)])
    child, _ = start(path, environment)
    child.kill()
    child.join(60)
    assert work(store, session) == []
    assert work(store, session, until_done=1) == [("a", "completed")]
    assert [made.name for made in (tmp_path / "out").glob("*.png")] == ["a.png"]


def test_a_heartbeat_keeps_a_job_longer_than_its_lease(
    session: Session, job_of: Callable[..., NewJob], tmp_path: Path
) -> None:
    path = tmp_path / "jobs.sqlite"
    store = JobStore.open(path, worker="parent", lease_seconds=0.3)
    other = JobStore.open(path, worker="other")
    store.submit([job_of(task_id="a", prompt="sleep", steps=40)])
    taken: list[str] = []
    session.stream.add(lambda _event: taken.extend(other.requeue_expired()))
    assert work(store, session) == [("a", "completed")]
    assert taken == []


def test_a_child_runs_after_its_parent_and_a_high_priority_before_both(
    session: Session, job_of: Callable[..., NewJob], tmp_path: Path
) -> None:
    store = JobStore.open(tmp_path / "jobs.sqlite")
    child = replace(job_of(task_id="child"), parents=("parent",), priority=5)
    store.submit([child, job_of(task_id="parent"), replace(job_of(task_id="urgent"), priority=9)])
    assert [task_id for task_id, _ in work(store, session)] == ["urgent", "parent", "child"]
