"""A batch: lines in, jobs through one worker, events out; what is left can be resumed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from wangp_cli.errors import NoSpaceError, RequestError, WangpError
from wangp_cli.files.atomic import sweep
from wangp_cli.runtime.events.types import Fault, Log, TaskCompleted, TaskRejected
from wangp_cli.runtime.execute import result_or_error
from wangp_cli.runtime.history.log import HISTORY
from wangp_cli.runtime.jobs.admission import Admission, AdmissionRules, LineResult
from wangp_cli.runtime.jobs.cleanup import finished_after_all, is_intact, remove_leftovers, remove_results
from wangp_cli.runtime.jobs.worker import Worker
from wangp_cli.runtime.outcome import Outcome

if TYPE_CHECKING:
    from wangp_cli.runtime.intake import TaskLine
    from wangp_cli.runtime.jobs.store import JobStore, StoredJob
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.fields import Order

AHEAD = 256
"""Lines read ahead of the work, so that memory stays flat whatever the file's length."""
POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """How a batch runs.

    Args:
        rules: what lines may do and which run.
        order: as given; all jobs of one model before the next; or also each stage of them before the next.
        phase_group: how many jobs at most go through their stages together.
        fail_fast: stop after the first failure.
        retries: more attempts for what can be retried.
        timeout: seconds after which a task is given up.
        limit: at most so many tasks.
        resume: go on with what an earlier run of the folder left.
    """

    rules: AdmissionRules
    order: Order = "given"
    phase_group: int = 64
    fail_fast: bool = False
    retries: int = 0
    timeout: float | None = None
    limit: int | None = None
    resume: bool = False


class LineSource(Protocol):
    """Where lines come from, if it wants to know how they ended."""

    def done(self, line: TaskLine) -> None:
        """A task of the line is done."""

    def failed(self, line: TaskLine, error: WangpError) -> None:
        """A task of the line failed."""


class Batch:
    """Runs the lines of one batch.

    Attributes:
        out_of_room: a full disk ended it, and left the rest ready.
    """

    def __init__(
        self, plan: BatchPlan, session: Session, store: JobStore, origin: LineSource | None = None
    ) -> None:
        self._plan = plan
        self._session = session
        self._store = store
        self._line_source = origin
        self._lines: dict[str, TaskLine] = {}
        self._admission = Admission(plan.rules, session, store.find if plan.resume else None)
        self._worker = Worker(store=store, session=session, retries=plan.retries, timeout=plan.timeout)
        self._feed: queue.Queue[TaskLine | WangpError | None] = queue.Queue(AHEAD)
        self._admitted = self._ended = 0
        self._fed = self._stopping = self._held = self.out_of_room = False
        self._affinity: str | None = None

    def run(self, lines: Iterable[TaskLine] | None) -> bool:
        """Run everything; whether a signal or `wangp control` ended it before all was done.

        Args:
            lines: None for those that an earlier run has left.
        """
        self._session.control.is_queued = self._store.waits
        if self._plan.resume:
            self._recover(every=lines is None)
        threading.Thread(target=self._read, args=(lines or (),), name="wangp-tasks", daemon=True).start()
        while not (self._stopping or self._session.control.ending):
            if not self._turn():
                self._report_missing()
                return False
        return self._session.control.ending and (not self._fed or self._is_left())

    def _turn(self) -> bool:
        """Do what comes next; False when nothing is left."""
        control = self._session.control
        came = self._admit(wait=False)
        if self._fed and self._held:
            self._store.requeue_orphans()
            self._held = False
        self._cancel_waiting()
        if self._plan.limit is not None and self._ended >= self._plan.limit:
            return False
        if self._plan.order != "given" and not self._fed and (came or self._admit(wait=True)):
            # To be put in order, lines must be here.
            return True
        if not control.may_claim():
            control.wait_claim(POLL_SECONDS)
        elif jobs := self._claim():
            self._work(jobs)
        elif not self._fed:
            self._admit(wait=True)
        elif self._is_left():
            # What is left waits for its next attempt.
            time.sleep(POLL_SECONDS)
        else:
            return False
        return True

    def _recover(self, *, every: bool) -> None:
        """Put right what a run left that was killed; `every` also opens what it has failed."""
        store, session = self._store, self._session
        halves = list(store.among("running"))
        history = session.manifest_path or self._plan.rules.folder / HISTORY
        after_all = finished_after_all(halves, history)
        for job in halves:
            if manifest := after_all.get(job.task_id):
                store.succeed(job, manifest)
            else:
                remove_leftovers(job)
        store.requeue_orphans()
        if self._plan.rules.folder.is_dir():
            sweep(self._plan.rules.folder)
        if every:
            self._reopen()
        else:
            # They wait until the file is read: it may say them again, or in another way.
            store.hold_ready()
            self._held = True

    def _reopen(self) -> None:
        chosen = self._plan.rules.only
        for job in self._store.among("done", "dead", "cancelled"):
            if chosen and job.task_id not in chosen:
                continue
            self._admission.met.add(job.task_id)
            if job.state == "done" and is_intact(job.result):
                self._skip(job)
            else:
                (remove_results if job.state == "done" else remove_leftovers)(job)
                self._store.reopen([job.task_id])

    def _claim(self) -> list[StoredJob]:
        """The next job, or the next group of them."""
        store, plan = self._store, self._plan
        if plan.rules.only:
            chosen = (store.claim_task(task_id, due=True) for task_id in sorted(plan.rules.only))
            return list(islice(filter(None, chosen), 1))
        first = store.claim(None if plan.order == "given" else self._affinity)
        jobs = [] if first is None else [first]
        if first is None or plan.order != "phase":
            return jobs
        room = plan.phase_group if plan.limit is None else min(plan.phase_group, plan.limit - self._ended)
        while len(jobs) < room and (more := store.claim(first.affinity, only=True)):
            jobs.append(more)
        return jobs

    def _is_left(self) -> bool:
        """Whether a job that may run is not done."""
        if only := self._plan.rules.only:
            return any(map(self._store.waits, only))
        return self._store.counts()["ready"] > 0

    def _work(self, jobs: list[StoredJob]) -> None:
        if self._plan.order == "phase":
            for job, outcome in self._worker.work_by_phase(jobs):
                self._end(job, outcome)
        else:
            for job in jobs:
                self._end(job, self._worker.work(job))

    def _cancel_waiting(self) -> None:
        for task_id in self._session.control.cancelling:
            if job := self._store.claim_task(task_id):
                # It is announced and at once cancelled.
                self._end(job, self._worker.work(job))

    def _end(self, job: StoredJob, outcome: Outcome) -> None:
        self._affinity = job.affinity
        if outcome.status == "retrying" or outcome.reason not in (None, "cancel"):
            return
        self._ended += 1
        if outcome.status in ("failed", "rejected") and self._plan.fail_fast:
            self._stopping = True
        if isinstance(outcome.error, NoSpaceError):
            # The next job would meet the same end.
            self._stopping = self.out_of_room = True
        self._tell(self._lines.pop(job.task_id, None), outcome.error)

    def _tell(self, line: TaskLine | None, error: WangpError | None) -> None:
        """Let the origin of a line know how it ended."""
        if self._line_source is None or line is None:
            return
        if error is None:
            self._line_source.done(line)
        else:
            self._line_source.failed(line, error)

    def _read(self, lines: Iterable[TaskLine]) -> None:
        """In a thread of its own: reading may block for ever, on a pipe that stays open."""
        error = result_or_error(lambda: self._put(lines))
        if error is not None:
            self._feed.put(error)
        self._feed.put(None)

    def _put(self, lines: Iterable[TaskLine]) -> None:
        for line in lines:
            self._feed.put(line)

    def _admit(self, *, wait: bool) -> bool:
        """Take the lines that are there, at least one if `wait` and it comes soon; whether there were any."""
        lines: list[TaskLine] = []
        try:
            # A task must not wait for the files that later ones name by address.
            ahead = 1 if self._plan.rules.fetches else AHEAD
            while not self._fed and len(lines) < ahead:
                found = (
                    self._feed.get(timeout=POLL_SECONDS) if wait and not lines else self._feed.get_nowait()
                )
                if found is None:
                    self._fed = True
                elif isinstance(found, WangpError):
                    self._reject(None, None, found)
                else:
                    lines.append(found)
        except queue.Empty:
            pass
        if lines:
            self._submit(self._admission.admit(lines))
        return bool(lines)

    def _submit(self, admitted: list[LineResult]) -> None:
        jobs = []
        for one in admitted:
            if one.job is not None:
                if self._plan.limit is not None and self._admitted >= self._plan.limit:
                    self._fed = True
                    break
                self._admitted += 1
                jobs.append(one.job)
                if self._line_source:
                    self._lines[one.job.task_id] = one.line
            elif one.error is not None:
                self._reject(one.line, one.task_id, one.error)
            elif one.done is not None:
                self._skip(one.done)
                self._tell(one.line, None)
            else:
                text = (
                    f"line {one.line.number} says the same as an earlier one of id {one.task_id}, "
                    "which runs once"
                )
                self._session.stream.emit(Log(level="warning", message=text))
                self._tell(one.line, None)
        self._store.submit(jobs)

    def _skip(self, job: StoredJob) -> None:
        self._session.stream.emit(TaskCompleted(manifest=job.result or {}, skipped=True), task=job.task_id)

    def _reject(self, line: TaskLine | None, task_id: str | None, error: WangpError) -> None:
        number, fault = line.number if line else None, Fault.of(error)
        if task_id and self._held:
            self._store.reject(task_id, fault.model_dump(mode="json"))
        self._session.stream.emit(TaskRejected(line=number, error=fault), task=task_id)
        self._tell(line, error)
        self.out_of_room = self.out_of_room or isinstance(error, NoSpaceError)
        if self._plan.fail_fast or self.out_of_room:
            self._stopping = True

    def _report_missing(self) -> None:
        if self._plan.limit is None:
            for task_id in sorted(self._plan.rules.only - self._admission.met):
                self._reject(None, task_id, RequestError("--only", f"there is no task {task_id!r}"))
