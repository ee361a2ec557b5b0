"""A batch: lines in, jobs through one worker, events out; what is left can be resumed."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from wangp_cli.errors import ConflictError, WangpError
from wangp_cli.runtime.admit import Admitted, Door, Rules
from wangp_cli.runtime.artifacts import disk_error, sweep
from wangp_cli.runtime.events import Fault, TaskCompleted, TaskRejected
from wangp_cli.runtime.execute import Outcome
from wangp_cli.runtime.store import Store, StoredJob, open_store
from wangp_cli.runtime.worker import Worker, finished, is_fatal, remove_outputs

if TYPE_CHECKING:
    from wangp_cli.runtime.intake import Line
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.fields import Order

log = logging.getLogger(__name__)
AHEAD = 256
"""Lines read ahead of the work, so that memory stays flat whatever the file's length."""
POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a batch runs.

    Args:
        rules: what lines may do and which run.
        order: as given, or all jobs of one model before the next.
        fail_fast: stop after the first failure.
        retries: more attempts for what can be retried.
        timeout: seconds after which a task is given up.
        limit: at most so many tasks.
        resume: go on with what an earlier run of the folder left.
    """

    rules: Rules
    order: Order = "given"
    fail_fast: bool = False
    retries: int = 0
    timeout: float | None = None
    limit: int | None = None
    resume: bool = False


@contextmanager
def batch_store(plan: Plan) -> Iterator[Store]:
    """The store of a batch's folder, ours alone while it is open.

    Raises:
        ConflictError: another process works there, or an earlier run is unfinished and `resume` is not said.
        NoSpaceError: the folder cannot be written.
    """
    which, of = plan.rules.shard
    name = "batch" if of == 1 else f"batch-{which}-of-{of}"
    folder = plan.rules.folder / ".wangp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", blocking=False)
        lock.acquire()
    except Timeout:
        raise ConflictError(
            f"another batch works in {plan.rules.folder}", hint="wait for it, or use --output-dir"
        ) from None
    except OSError as error:
        raise disk_error(error, folder / name) from None
    try:
        file = folder / f"{name}.sqlite"
        store = open_store(file)
        if not plan.resume and not _is_finished(store):
            raise ConflictError(
                f"an earlier batch in {plan.rules.folder} is unfinished",
                hint="--resume finishes it; or use another --output-dir",
            )
        if not plan.resume:
            store.clear()
        try:
            yield store
        finally:
            store.close()
    finally:
        lock.release()


def _is_finished(store: Store) -> bool:
    counts = store.counts()
    return counts["ready"] == counts["running"] == 0


class Batch:
    """Runs the lines of one batch."""

    def __init__(self, plan: Plan, session: Session, store: Store) -> None:
        self._plan = plan
        self._session = session
        self._store = store
        self._door = Door(plan.rules, session)
        self._worker = Worker(store=store, session=session, retries=plan.retries, timeout=plan.timeout)
        self._feed: queue.Queue[Line | None] = queue.Queue(AHEAD)
        self._accepted = 0
        self._fed = False
        self._stopping = False
        self._model: str | None = None

    def run(self, lines: Iterable[Line]) -> None:
        """Run everything; returns when all is done or the run was asked to stop."""
        if self._plan.resume:
            self._recover()
        self._session.control.knows = self._store.waits
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        while not self._stops():
            self._admit(wait=False)
            if self._plan.order == "model" and not self._fed:
                self._admit(wait=True)
                continue
            if not self._session.control.may_claim():
                self._session.control.wait_claim(POLL_SECONDS)
                continue
            job = self._store.claim(self._model if self._plan.order == "model" else None)
            if job is not None:
                self._finish(job, self._worker.work(job))
            elif self._fed:
                return
            else:
                self._admit(wait=True)

    def _stops(self) -> bool:
        return self._stopping or self._session.control.ending

    def _finish(self, job: StoredJob, outcome: Outcome) -> None:
        self._model = job.model
        failed = outcome.status in ("failed", "rejected")
        if failed and (self._plan.fail_fast or is_fatal(outcome)):
            self._stopping = True

    def _recover(self) -> None:
        for folder in {self._plan.rules.folder, *self._plan.rules.folder.glob("*/")}:
            if folder.is_dir():
                sweep(folder)
        for job in self._store.recover():
            remove_outputs(job)

    def _read(self, lines: Iterable[Line]) -> None:
        """In a thread of its own: reading may block for ever, on a pipe that stays open."""
        try:
            for line in lines:
                self._feed.put(line)
        except (WangpError, OSError) as error:
            log.warning("reading the tasks stopped: %s", error)
        finally:
            self._feed.put(None)

    def _admit(self, *, wait: bool) -> None:
        """Take the lines that are there, at least one if `wait` and it comes soon."""
        lines: list[Line] = []
        try:
            while not self._fed and len(lines) < AHEAD:
                line = self._feed.get(timeout=POLL_SECONDS) if wait and not lines else self._feed.get_nowait()
                self._fed = line is None
                if line is not None:
                    lines.append(line)
        except queue.Empty:
            pass
        if lines:
            self._submit(self._door.admit(lines))

    def _submit(self, admitted: list[Admitted]) -> None:
        if self._plan.limit is not None:
            admitted = self._within_limit(admitted, self._plan.limit)
        for one in admitted:
            if one.error is not None:
                self._reject(one, one.error)
        jobs = [one for one in admitted if one.job is not None]
        answers = self._store.submit([one.job for one in jobs if one.job is not None])
        for one, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, ConflictError):
                self._reject(one, answer)
            elif answer is not None:
                self._meet_again(answer)

    def _within_limit(self, admitted: list[Admitted], limit: int) -> list[Admitted]:
        kept = []
        for one in admitted:
            if one.job is not None and self._accepted >= limit:
                self._fed = True
                break
            self._accepted += one.job is not None
            kept.append(one)
        return kept

    def _meet_again(self, job: StoredJob) -> None:
        """A line whose job is in the store already: skip it if it is done, else run it again."""
        if job.state == "done" and finished(job):
            emit = self._session.stream.emit
            emit(TaskCompleted(manifest=job.result or {}, skipped=True), task=job.key)
        elif job.state in ("done", "dead", "cancelled"):
            self._store.reopen(job.key)

    def _reject(self, one: Admitted, error: WangpError) -> None:
        self._session.stream.emit(TaskRejected(line=one.line.number, error=Fault.of(error)), task=one.key)
        if self._plan.fail_fast:
            self._stopping = True
