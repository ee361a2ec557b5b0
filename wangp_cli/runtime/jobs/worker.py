"""The worker: takes one job after another from a store and runs it through the one boundary."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from wangp_cli.errors import OutOfMemoryError, WangpError
from wangp_cli.runtime.events.types import Fault
from wangp_cli.runtime.execute import run_in_stages, run_to_end
from wangp_cli.runtime.jobs.cleanup import remove_leftovers, unpack
from wangp_cli.runtime.outcome import Attempt, Outcome, Retry, retry_with_less_memory
from wangp_cli.tasks.runtime import LESS_MEMORY
from wangp_cli.value_layers import Layer

if TYPE_CHECKING:
    from wangp_cli.runtime.jobs.store import JobStore, StoredJob
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.stages import Stage

CAREFUL = Layer(kind="retry", values={"profile": LESS_MEMORY["auto"]})
"""What an attempt changes after one in another process that ran out of memory."""
FIRST_PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 900.0


@dataclass(kw_only=True)
class Worker:
    """Runs jobs of one store in one session.

    Args:
        retries: more attempts after errors that may pass.
        timeout: seconds of its own work after which a task is given up.
        pause: seconds before the second attempt; each further pause is twice as long.
    """

    store: JobStore
    session: Session
    retries: int = 0
    timeout: float | None = None
    pause: float = FIRST_PAUSE_SECONDS
    _tried: set[str] = field(default_factory=set)
    """Jobs that the reader of events knows and that will be tried again."""
    _changes: dict[str, Layer] = field(default_factory=dict)
    """What the next attempt of a job changes."""

    def work(self, job: StoredJob) -> Outcome:
        """Run a claimed job and tell the store how it ended."""
        return run_to_end(self._course(job))

    def work_by_phase(self, jobs: Sequence[StoredJob]) -> Iterator[tuple[StoredJob, Outcome]]:
        """Run claimed jobs, one stage of all of them before the next; gives each with its end."""
        going = [_Going(job=job, course=self._course(job)) for job in jobs]
        while going:
            stage = going[0].next
            for one in going:
                if one.begun or not self.session.control.ending:
                    one.do(stage)
            yield from ((one.job, one.outcome) for one in going if one.outcome)
            for one in going:
                if not one.begun:
                    # It has not begun, so it has no end either.
                    self.store.release(one.job)
            going = [one for one in going if one.begun and not one.outcome]

    def _course(self, job: StoredJob) -> Generator[Stage, None, Outcome]:
        if job.token > 1:
            remove_leftovers(job)
        layers = unpack(job.said)
        if (job.error or {}).get("kind") == OutOfMemoryError.kind:
            layers.append(self._changes.pop(job.task_id, CAREFUL))
        attempt = Attempt(
            number=job.attempt,
            announce=job.task_id not in self._tried,
            line=job.said["line"],
            notices=job.said["notices"],
            timeout=self.timeout,
            record_file=partial(self.store.own, job),
            save_manifest=partial(self.store.succeed, job),
            retry=partial(self._retry, job),
        )
        outcome = yield from run_in_stages(lambda: layers, self.session, job.task_id, attempt)
        self._keep(job, outcome)
        return outcome

    def _retry(self, job: StoredJob, error: WangpError) -> Retry | None:
        if isinstance(error, OutOfMemoryError):
            if (job.error or {}).get("kind") == OutOfMemoryError.kind:
                return None
            retry = retry_with_less_memory(self.session, error)
            if retry and retry.change:
                self._changes[job.task_id] = retry.change
            return retry
        if job.attempt > self.retries:
            return None
        pause = min(LONGEST_PAUSE_SECONDS, self.pause * 2 ** (job.attempt - 1))
        return Retry(delay_seconds=pause * random.uniform(0.5, 1.5))

    def _keep(self, job: StoredJob, outcome: Outcome) -> None:
        self._tried.discard(job.task_id)
        match outcome.status:
            case "completed":
                return
            case "cancelled" if outcome.reason == "cancel":
                self.store.cancel(job)
            case "cancelled":
                self.store.release(job)
            case _:
                assert outcome.error is not None
                fault = Fault.of(outcome.error).model_dump(mode="json")
                pause = outcome.retry.delay_seconds if outcome.retry else None
                self.store.fail(job, fault, retry_after=pause)
                if outcome.retry:
                    self._tried.add(job.task_id)


@dataclass(kw_only=True)
class _Going:
    """A job on its way."""

    job: StoredJob
    course: Generator[Stage, None, Outcome]
    next: Stage | None = None
    """The stage that comes next; None before the job has begun."""
    outcome: Outcome | None = None

    @property
    def begun(self) -> bool:
        """Whether any of it was done."""
        return self.next is not None or self.outcome is not None

    def do(self, stage: Stage | None) -> None:
        """Go on while `stage` is what comes next; begin, and do the first stage, where it is None."""
        if stage is None and not self.begun:
            self._advance()
            stage = self.next
        while self.next == stage and self.outcome is None:
            self._advance()

    def _advance(self) -> None:
        try:
            self.next = next(self.course)
        except StopIteration as end:
            self.outcome = end.value
