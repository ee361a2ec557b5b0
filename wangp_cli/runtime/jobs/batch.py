"""Batch: admits the lines of a task file, runs their jobs in a work loop, resumes an earlier run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from wangp_cli.errors import NoSpaceError, RequestError, WangpError
from wangp_cli.files.atomic import sweep
from wangp_cli.runtime.events.types import Fault, Log, TaskCompleted, TaskRejected
from wangp_cli.runtime.history.log import HISTORY
from wangp_cli.runtime.jobs.admission import Admission, LineResult
from wangp_cli.runtime.jobs.cleanup import (
    find_finished_manifests,
    is_intact,
    remove_leftovers,
    remove_results,
)
from wangp_cli.runtime.jobs.confinement import confinement_of
from wangp_cli.runtime.jobs.line_feed import READ_AHEAD, LineFeed
from wangp_cli.runtime.jobs.payload import unpack
from wangp_cli.runtime.jobs.rejected_lines import RejectedLines
from wangp_cli.runtime.jobs.rules import BatchPlan
from wangp_cli.runtime.jobs.work_loop import WorkLoop
from wangp_cli.runtime.jobs.worker import Worker

if TYPE_CHECKING:
    from wangp_cli.runtime.intake import TaskLine
    from wangp_cli.runtime.jobs.batch_store import BatchStore
    from wangp_cli.runtime.jobs.stored_job import StoredJob
    from wangp_cli.runtime.outcome import Outcome
    from wangp_cli.runtime.session import Session

POLL_SECONDS = 0.2


class LineSource(Protocol):
    """A source of lines that records how their tasks ended."""

    def done(self, line: TaskLine) -> None:
        """A task of the line is done."""

    def failed(self, line: TaskLine, error: WangpError) -> None:
        """A task of the line failed."""


class Batch:
    """Runs the lines of one batch.

    Args:
        source: notified of the end of each task of a line.

    Attributes:
        out_of_room: the batch ended because a disk is full; its other jobs stay ready.
    """

    def __init__(
        self, plan: BatchPlan, session: Session, store: BatchStore, source: LineSource | None = None
    ) -> None:
        self._plan = plan
        self._session = session
        self._store = store
        self._source = source
        self._lines: dict[str, TaskLine] = {}
        self._admission = Admission(plan.rules, session, store.find if plan.resume else None)
        confinement = confinement_of(plan.rules, session.tasks)
        worker = Worker(
            store=store, session=session, confinement=confinement, retries=plan.retries, timeout=plan.timeout
        )
        self._loop = WorkLoop(
            store, worker, self._on_end, order=plan.order, group=plan.phase_group, only=plan.rules.only
        )
        self._feed = LineFeed()
        self._history = session.manifest_path or plan.rules.folder / HISTORY
        self._rejected = RejectedLines(self._history, plan.rules.folder, session.stream.run)
        self._admitted = self._ended = 0
        self._stopping = self._holds = self.out_of_room = False

    def run(self, lines: Iterable[TaskLine] | None) -> bool:
        """Run everything; true if a signal or `wangp control` ended it before all was done.

        Args:
            lines: None to run only what an earlier run left.
        """
        control = self._session.control
        control.is_queued = self._store.is_queued
        if self._plan.resume:
            self._recover()
            # They are held until the file is read: it may name them again, with other or wrong values.
            self._store.hold_ready()
            self._holds = True
            if lines is None:
                self._retry_all()
        self._feed.start(lines or ())
        self._tell_planned()
        with self._loop:
            while not (self._stopping or control.ending):
                if not self._run_next():
                    self._report_missing()
                    return False
        return control.ending and (not self._feed.ended or self._loop.ready_count() > 0)

    def _run_next(self) -> bool:
        """Admit lines and run the next job or group of jobs; false when nothing is left."""
        control, plan = self._session.control, self._plan
        admitted = self._admit()
        if self._feed.ended and self._holds:
            self._store.release_held()
            self._holds = False
        for task_id in control.cancelling:
            # It is announced and cancelled at once.
            self._loop.run_now(task_id)
        if plan.limit is not None and self._ended >= plan.limit:
            return False
        if plan.order != "given" and not self._feed.ended and (admitted or self._admit(wait=True)):
            # Jobs are ordered only after all lines are admitted.
            return True
        if not control.may_claim():
            control.wait_claim(POLL_SECONDS)
        elif self._loop.run_next(None if plan.limit is None else plan.limit - self._ended):
            pass
        elif not self._feed.ended:
            self._admit(wait=True)
        elif self._loop.ready_count():
            # The ready jobs wait for the time of their next attempt.
            time.sleep(POLL_SECONDS)
        else:
            return False
        return True

    def _recover(self) -> None:
        """Repair what a killed run left: jobs without a worker, partial files, a manifest not stored."""
        store, folder = self._store, self._plan.rules.folder
        orphans = store.orphans()
        manifests = find_finished_manifests(orphans, self._history)
        for job in orphans:
            if manifest := manifests.get(job.task_id):
                store.finish(job, manifest)
            else:
                remove_leftovers(job, folder)
        store.requeue_orphans()
        if folder.is_dir():
            sweep(folder)

    def _retry_all(self) -> None:
        """Retry the jobs that an earlier run has not done, and those whose files are not intact."""
        chosen = self._plan.rules.only
        for job in self._store.in_states("done", "dead", "cancelled"):
            if chosen and job.task_id not in chosen:
                continue
            self._admission.seen.add(job.task_id)
            if job.state == "done" and is_intact(job.result):
                self._skip(job)
            else:
                (remove_results if job.state == "done" else remove_leftovers)(job, self._plan.rules.folder)
                self._store.retry([job.task_id])

    def _on_end(self, job: StoredJob, outcome: Outcome) -> None:
        if outcome.status == "retrying" or outcome.reason not in (None, "cancel"):
            return
        self._ended += 1
        if outcome.status == "rejected" and outcome.error is not None:
            notices = [notice for layer in unpack(job.payload) for notice in layer.notices]
            self._rejected.add(job.task_id, job.payload.get("line"), Fault.of(outcome.error), notices)
            self._rejected.append()
        if outcome.status in ("failed", "rejected") and self._plan.fail_fast:
            self._stopping = True
        if isinstance(outcome.error, NoSpaceError):
            # The next job would fail in the same way.
            self._stopping = self.out_of_room = True
        self._notify_source(self._lines.pop(job.task_id, None), outcome.error)

    def _notify_source(self, line: TaskLine | None, error: WangpError | None) -> None:
        if self._source is None or line is None:
            return
        if error is None:
            self._source.done(line)
        else:
            self._source.failed(line, error)

    def _admit(self, *, wait: bool = False) -> bool:
        """Admit the lines that were read; with `wait`, wait for one. Whether there were any."""
        # A task must not wait for the files that later lines name by URL.
        most = 1 if self._plan.rules.allows_urls else READ_AHEAD
        if self._plan.bounded:
            most = min(most, READ_AHEAD - self._store.claimable_count())
            if most <= 0:
                time.sleep(POLL_SECONDS if wait else 0.0)
                return False
        lines = []
        for line in self._feed.take(most, wait_seconds=POLL_SECONDS if wait else None):
            if isinstance(line, WangpError):
                self._reject(None, None, line)
            else:
                lines.append(line)
        if lines:
            self._submit(self._admission.admit(lines))
        self._tell_planned()
        return bool(lines)

    def _tell_planned(self) -> None:
        """Tell how many tasks the run has, once all lines are read."""
        if self._feed.ended and self._session.control.planned is None:
            ready = self._loop.ready_count()
            if self._plan.limit is not None:
                ready = min(ready, self._plan.limit - self._ended)
            self._session.control.plan(sum(self._session.stream.counts.values()) + ready)

    def _submit(self, results: list[LineResult]) -> None:
        jobs = []
        for result in results:
            if result.job is not None:
                if self._plan.limit is not None and self._admitted >= self._plan.limit:
                    self._feed.close()
                    break
                self._admitted += 1
                jobs.append(result.job)
                if self._source:
                    self._lines[result.job.task_id] = result.line
            elif result.error is not None:
                self._reject(result.line, result.task_id, result.error)
            elif result.done is not None:
                self._skip(result.done)
                self._notify_source(result.line, None)
            else:
                text = (
                    f"line {result.line.number} repeats an earlier one of id {result.task_id}, "
                    "which runs once"
                )
                self._session.stream.emit(Log(level="warning", message=text))
                self._notify_source(result.line, None)
        self._rejected.append()
        self._store.submit(jobs)

    def _skip(self, job: StoredJob) -> None:
        self._session.stream.emit(TaskCompleted(manifest=job.result or {}, skipped=True), task=job.task_id)

    def _reject(self, line: TaskLine | None, task_id: str | None, error: WangpError) -> None:
        number, fault = line.number if line else None, Fault.of(error)
        if task_id and self._holds:
            self._store.reject_held(task_id, fault.model_dump(mode="json"))
        self._session.stream.emit(TaskRejected(line=number, error=fault), task=task_id)
        self._rejected.add(task_id, number, fault, line.notices if line else ())
        self._notify_source(line, error)
        self.out_of_room = self.out_of_room or isinstance(error, NoSpaceError)
        if self._plan.fail_fast or self.out_of_room:
            self._stopping = True

    def _report_missing(self) -> None:
        if self._plan.limit is None:
            for task_id in self._plan.rules.only:
                if task_id not in self._admission.seen:
                    self._reject(None, task_id, RequestError("--only", f"there is no task {task_id!r}"))
        self._rejected.append()
