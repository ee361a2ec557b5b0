"""The job store of a batch, beside a dictionary of its states."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.jobs import ENDS, Clock, new
from wangp_cli.runtime.jobs.batch_store import BatchStore
from wangp_cli.runtime.jobs.store import LEASE_SECONDS, JobStore
from wangp_cli.runtime.jobs.stored_job import LeaseLostError, StoredJob

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
