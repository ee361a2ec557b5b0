"""A worker runs claimed jobs in this process and stores how they ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.event_checks import check_event
from wangp_cli.runtime.events.stream import Event
from wangp_cli.runtime.jobs.store import JobStore
from wangp_cli.runtime.jobs.stored_job import NewJob, StoredJob
from wangp_cli.runtime.jobs.worker import Worker
from wangp_cli.runtime.session import Session


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore.open(tmp_path / "jobs.sqlite", worker="first")


def claimed(store: JobStore) -> StoredJob:
    job = store.claim()
    assert job is not None
    return job


def test_a_disk_that_was_away_is_tried_again_after_a_pause(
    session: Session, store: JobStore, job_of: Callable[..., NewJob], events: list[Event]
) -> None:
    store.submit([job_of(prompt="flaky")])
    worker = Worker(store=store, session=session, retries=1, pause=60)
    job = claimed(store)
    outcome = worker.run(job)
    assert outcome.retry is not None
    assert 30 <= outcome.retry.delay_seconds <= 90
    assert store.claim() is None
    second = store.claim_task(job.task_id)
    assert second is not None
    assert worker.run(second).status == "completed"
    for event in events:
        check_event(json.loads(event.line()))
    started = [event for event in events if event.type == "task.started"]
    assert [(event.type, event.attempt) for event in started] == [
        ("task.started", 1),
        ("task.started", 2),
    ]
    assert sum(event.type == "task.accepted" for event in events) == 1


def test_what_cannot_pass_is_not_tried_again(
    session: Session, store: JobStore, job_of: Callable[..., NewJob]
) -> None:
    store.submit([job_of(prompt="crash")])
    assert Worker(store=store, session=session, retries=5).run(claimed(store)).status == "failed"
    assert store.counts()["dead"] == 1


@pytest.mark.parametrize("stage", ["denoise", "decode"])
def test_a_worker_whose_lease_is_lost_leaves_no_file_and_no_result(
    session: Session, store: JobStore, job_of: Callable[..., NewJob], tmp_path: Path, stage: str
) -> None:
    store.submit([job_of(task_id="a")])
    other = JobStore.open(tmp_path / "jobs.sqlite", worker="second", clock=lambda: 1e12)
    taken: list[StoredJob] = []

    def take_over(event: Event) -> None:
        if event.type == "task.stage" and event.data["stage"] == stage and not taken:
            assert other.requeue_expired() == ["a"]
            taken.append(claimed(other))

    session.stream.add(take_over)
    outcome = Worker(store=store, session=session).run(claimed(store))
    assert (outcome.status, outcome.error and outcome.error.kind) == ("failed", "lease_lost")
    assert not list((tmp_path / "out").glob("*.png"))
    assert (store.find(["a"])["a"].state, store.find(["a"])["a"].worker) == ("running", "second")
    assert Worker(store=other, session=session).run(taken[0]).status == "completed"
    done = store.find(["a"])["a"]
    assert (done.state, done.attempt, done.token) == ("done", 1, 2)
    assert (tmp_path / "out" / "a.png").is_file()


def test_a_task_stops_when_its_heartbeat_finds_the_lease_lost(
    session: Session, store: JobStore, job_of: Callable[..., NewJob], tmp_path: Path
) -> None:
    store.submit([job_of(task_id="a", prompt="sleep", steps=500)])
    other = JobStore.open(tmp_path / "jobs.sqlite", worker="second", clock=lambda: 1e12)
    worker = Worker(store=store, session=session)

    def take_over(event: Event) -> None:
        if event.type == "task.progress" and other.requeue_expired():
            claimed(other)
            worker.heartbeat.beat()

    session.stream.add(take_over)
    outcome = worker.run(claimed(store))
    assert outcome.status == "cancelled"
    assert store.find(["a"])["a"].worker == "second"
