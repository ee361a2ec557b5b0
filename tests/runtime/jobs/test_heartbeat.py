"""Leases that are extended while jobs run."""

from __future__ import annotations

from pathlib import Path

from tests.support.jobs import Clock, new
from wangp_cli.runtime.jobs.heartbeat import Heartbeat
from wangp_cli.runtime.jobs.store import JobStore
from wangp_cli.runtime.jobs.stored_job import StoredJob


def test_a_beat_extends_leases_and_tells_each_lost_one_once(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "jobs.sqlite"
    store, other = (
        JobStore.open(path, worker=name, lease_seconds=10, clock=clock) for name in ("one", "other")
    )
    store.submit([new("a"), new("b"), new("c")])
    jobs = [job for _ in range(3) if (job := store.claim())]
    lost: list[StoredJob] = []
    heartbeat = Heartbeat(store, lost.append)
    for job in jobs:
        heartbeat.add(job)
    clock.now += 8
    heartbeat.beat()
    assert {job.lease_until for job in store.find(["a", "b", "c"]).values()} == {clock.now + 10}
    clock.now += 11
    assert sorted(other.requeue_expired()) == ["a", "b", "c"]
    assert other.claim_task("a") is not None
    assert other.claim_task("b") is not None
    heartbeat.drop(jobs[1])
    heartbeat.drop(jobs[2])
    heartbeat.beat()
    heartbeat.beat()
    assert lost == [jobs[0]]
