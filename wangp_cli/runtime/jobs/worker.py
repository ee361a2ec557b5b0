"""Worker: runs claimed jobs through `run_in_stages` and stores how they ended."""

from __future__ import annotations

import logging
import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import OutOfMemoryError, WangpError
from wangp_cli.runtime.events.types import Fault
from wangp_cli.runtime.execute import run_in_stages, run_to_end
from wangp_cli.runtime.jobs.cleanup import remove_leftovers
from wangp_cli.runtime.jobs.heartbeat import Heartbeat
from wangp_cli.runtime.jobs.payload import unpack
from wangp_cli.runtime.jobs.stored_job import LeaseLostError
from wangp_cli.runtime.outcome import Attempt, Outcome, Retry, retry_with_less_memory
from wangp_cli.tasks.runtime import LESS_MEMORY
from wangp_cli.value_layers import Layer

if TYPE_CHECKING:
    from wangp_cli.runtime.jobs.confinement import Confinement
    from wangp_cli.runtime.jobs.store import JobStore
    from wangp_cli.runtime.jobs.stored_job import StoredJob
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.stages import Stage

AFTER_OUT_OF_MEMORY = Layer(kind="retry", values={"profile": LESS_MEMORY["auto"]})
"""Values of an attempt after one that ran out of memory in another process."""
FIRST_PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 900.0
log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Worker:
    """Runs jobs of one store in one session.

    Args:
        confinement: what jobs may read and write; None for anything, if the store is trusted.
        retries: more attempts after errors that may pass.
        timeout: seconds of its own work after which a task fails.
        pause: seconds before the second attempt; each further pause is twice as long.

    Attributes:
        heartbeat: extends the leases of the jobs that run, while it is started.
    """

    store: JobStore
    session: Session
    confinement: Confinement | None = None
    retries: int = 0
    timeout: float | None = None
    pause: float = FIRST_PAUSE_SECONDS
    heartbeat: Heartbeat = field(init=False)
    _announced: set[str] = field(default_factory=set)
    """Task ids that were announced by an attempt and will be tried again."""
    _retry_layers: dict[str, Layer] = field(default_factory=dict)
    """Values that the next attempt changes, by task id."""

    def __post_init__(self) -> None:
        """Connect the heartbeat: a job whose lease is lost stops at its next step."""
        self.heartbeat = Heartbeat(self.store, lambda job: self.session.control.cancel(job.task_id))

    def run(self, job: StoredJob) -> Outcome:
        """Run a claimed job and store how it ended."""
        self.heartbeat.add(job)
        return run_to_end(self._run_in_stages(job))

    def run_by_stage(self, jobs: Sequence[StoredJob]) -> Iterator[tuple[StoredJob, Outcome]]:
        """Run claimed jobs, one stage of all of them before the next; yields each when it ends."""
        for job in jobs:
            self.heartbeat.add(job)
        running = [_StagedRun(job=job, stages=self._run_in_stages(job)) for job in jobs]
        while running:
            stage = running[0].next
            for staged in running:
                if staged.started or not self.session.control.ending:
                    staged.advance(stage)
            yield from ((staged.job, staged.outcome) for staged in running if staged.outcome)
            for staged in running:
                if not staged.started:
                    # The run ends before this job has started: another run will take it.
                    self._change(staged.job, self.store.release)
            running = [staged for staged in running if staged.started and not staged.outcome]

    def _run_in_stages(self, job: StoredJob) -> Generator[Stage, None, Outcome]:
        confined = self.confinement
        if job.token > 1:
            remove_leftovers(job, confined.folder if confined else None)
        stored = unpack(job.payload)
        layers = list(stored)
        if (job.error or {}).get("kind") == OutOfMemoryError.kind:
            layers.append(self._retry_layers.pop(job.task_id, AFTER_OUT_OF_MEMORY))
        attempt = Attempt(
            number=job.attempt,
            announce=job.task_id not in self._announced,
            line=job.payload.get("line"),
            timeout=self.timeout,
            record_file=partial(self.store.record_file, job),
            check_request=confined.check_request if confined else None,
            root=confined.folder if confined else None,
            private_roots=confined.readable if confined and confined.untrusted else None,
            save_manifest=partial(self._finish, job),
            retry=partial(self._retry, job),
        )

        def checked_layers() -> list[Layer]:
            if confined:
                confined.check_layers(stored)
            return layers

        outcome = yield from run_in_stages(checked_layers, self.session, job.task_id, attempt)
        self._store_end(job, outcome)
        return outcome

    def _finish(self, job: StoredJob, manifest: dict[str, Any]) -> None:
        self.heartbeat.drop(job)
        self.store.finish(job, manifest)

    def _retry(self, job: StoredJob, error: WangpError) -> Retry | None:
        """Whether and how to run a job again after an error."""
        if isinstance(error, OutOfMemoryError):
            if (job.error or {}).get("kind") == OutOfMemoryError.kind:
                return None
            retry = retry_with_less_memory(self.session, error)
            if retry and retry.change:
                self._retry_layers[job.task_id] = retry.change
            return retry
        if job.attempt > self.retries:
            return None
        pause = min(LONGEST_PAUSE_SECONDS, self.pause * 2 ** (job.attempt - 1))
        return Retry(delay_seconds=pause * random.uniform(0.5, 1.5))

    def _store_end(self, job: StoredJob, outcome: Outcome) -> None:
        """Store the end of a job that is not done; `save_manifest` has stored that of one that is."""
        self._announced.discard(job.task_id)
        match outcome.status:
            case "completed":
                return
            case "cancelled" if outcome.reason == "cancel":
                self._change(job, self.store.cancel)
            case "cancelled":
                self._change(job, self.store.release)
            case _:
                assert outcome.error is not None
                fault = Fault.of(outcome.error).model_dump(mode="json")
                pause = outcome.retry.delay_seconds if outcome.retry else None
                self._change(job, partial(self.store.fail, error=fault, retry_after=pause))
                if outcome.retry:
                    self._announced.add(job.task_id)

    def _change(self, job: StoredJob, change: Any) -> None:
        self.heartbeat.drop(job)
        try:
            change(job)
        except LeaseLostError as error:
            # The worker that took it over stores how it ends.
            log.warning("%s; its outcome here is dropped", error)


@dataclass(kw_only=True)
class _StagedRun:
    """A job that is run stage by stage.

    Args:
        stages: yields the name of each stage before it runs, and returns the outcome.
        next: the stage that comes next; None before the job has started.
    """

    job: StoredJob
    stages: Generator[Stage, None, Outcome]
    next: Stage | None = None
    outcome: Outcome | None = None

    @property
    def started(self) -> bool:
        """Whether any of it was done."""
        return self.next is not None or self.outcome is not None

    def advance(self, stage: Stage | None) -> None:
        """Run while `stage` is what comes next; start, and run the first stage, where it is None."""
        if stage is None and not self.started:
            self._run_one()
            stage = self.next
        while self.next == stage and self.outcome is None:
            self._run_one()

    def _run_one(self) -> None:
        try:
            self.next = next(self.stages)
        except StopIteration as end:
            self.outcome = end.value
