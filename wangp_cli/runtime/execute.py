"""Run requests: every error of a request, a model or a disk becomes an event and an `Outcome`."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from wangp_cli.errors import Cancelled, DamagedMediaError, RequestError, WangpError
from wangp_cli.files.atomic import sweep
from wangp_cli.files.checksum import sha256_of
from wangp_cli.imports import import_object
from wangp_cli.runtime.error_mapping import to_wangp_error
from wangp_cli.runtime.events.types import (
    ArtifactCreated,
    Data,
    Fault,
    Log,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskPrepared,
    TaskRejected,
    TaskRetrying,
    TaskStarted,
)
from wangp_cli.runtime.history.log import HISTORY, append_lines
from wangp_cli.runtime.history.manifest import history_record, input_checksums, portable_name
from wangp_cli.runtime.job import Job, RenderJob, ToolJob
from wangp_cli.runtime.loras.select import LoraUse, fetch_loras
from wangp_cli.runtime.outcome import Attempt, Outcome, listed, retry_with_less_memory
from wangp_cli.runtime.progress import ProgressReporter
from wangp_cli.runtime.request.prepared import changed_values, prepared_request
from wangp_cli.runtime.request.private_inputs import private_inputs
from wangp_cli.runtime.request.request import RenderRequest, Request, ToolRequest
from wangp_cli.runtime.request.resolve import field_label, resolve
from wangp_cli.runtime.session import Session
from wangp_cli.runtime.weights.hub import Hub
from wangp_cli.runtime.workspace.segments_cache import sweep_work
from wangp_cli.value_layers import ENHANCED, Layer

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.tasks.stages import Stage

log = logging.getLogger(__name__)
T = TypeVar("T")


def execute(
    get_layers: Callable[[], Sequence[Layer]],
    session: Session,
    task_id: str | None = None,
    attempt: Attempt | None = None,
) -> Outcome:
    """Resolve layers to a request and run it; retry once with less memory. Errors become the outcome.

    Args:
        get_layers: returns the layers of values; may raise what `resolve` raises.
        session: settings, models, events and control.
        task_id: of its events; a new one by default.
        attempt: number and callbacks; by default the first, which is retried only after memory ran out.
    """
    task_id = task_id or str(uuid.uuid4())
    first = attempt or Attempt(retry=partial(retry_with_less_memory, session))
    outcome = run_to_end(run_in_stages(get_layers, session, task_id, first))
    if outcome.retry is None or outcome.retry.change is None:
        return outcome
    change, second = outcome.retry.change, replace(first, number=2, announce=False, retry=None)
    return run_to_end(run_in_stages(lambda: [*get_layers(), change], session, task_id, second))


def run_to_end(steps: Generator[Any, None, T]) -> T:
    """Exhaust a generator and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def run_in_stages(
    get_layers: Callable[[], Sequence[Layer]], session: Session, task_id: str, attempt: Attempt
) -> Generator[Stage, None, Outcome]:
    """Run a request; yield before each stage, so that the caller can interleave tasks."""
    emit = partial(session.stream.emit, task=task_id)
    try:
        request = resolve([*get_layers(), Layer(kind="run", values={"task_id": task_id})], session)
        if attempt.check_request:
            attempt.check_request(request)
    except Cancelled as stop:
        # A task that has not started has no end; a later run takes it.
        return Outcome(status="cancelled", error=stop, reason=session.control.stop_reason(task_id))
    except Exception as error:  # noqa: BLE001 - the boundary
        known = to_wangp_error(error)
        emit(TaskRejected(line=attempt.line, error=Fault.of(known)))
        return Outcome(status="rejected", error=known)
    if attempt.announce:
        _announce(request, emit, attempt)
    work = _Work(request, session, emit, attempt)
    try:
        session.control.check(task_id)
        if request.skipped:
            return _skip(request, emit, attempt)
        emit(TaskStarted())
        manifest = yield from work.run()
        if attempt.save_manifest:
            attempt.save_manifest(manifest)
    except Cancelled as stop:
        reason = session.control.stop_reason(task_id) or "cancel"
        emit(TaskCancelled(reason=reason))
        return Outcome(status="cancelled", artifacts=work.artifacts, error=stop, reason=reason)
    except Exception as error:  # noqa: BLE001 - the boundary
        return _fail(_with_field_label(to_wangp_error(error), request), work.artifacts, emit, attempt)
    emit(TaskCompleted(manifest=manifest))
    return Outcome(status="completed", artifacts=work.artifacts, manifest=manifest)


def _announce(request: Request, emit: Callable[..., None], attempt: Attempt) -> None:
    accepted = TaskAccepted(
        line=attempt.line, request=request.task.model_dump(mode="json"), origin=request.origin_texts
    )
    emit(accepted, attempt=attempt.number)
    for notice in request.notices:
        emit(Log(level="info", message=str(notice)))


def _fail(
    error: WangpError, artifacts: list[ArtifactCreated], emit: Callable[..., None], attempt: Attempt
) -> Outcome:
    """Announce a failure, or the retry that follows it."""
    retry = attempt.retry(error) if attempt.retry and error.retryable else None
    if retry is None:
        emit(TaskFailed(error=Fault.of(error)))
        return Outcome(status="failed", artifacts=artifacts, error=error)
    retrying = TaskRetrying(
        error=Fault.of(error),
        next_attempt=attempt.number + 1,
        delay_s=round(retry.delay_seconds, 1),
        change=retry.change and ", ".join(f"{name} {value}" for name, value in retry.change.values.items()),
    )
    emit(retrying)
    return Outcome(status="retrying", artifacts=artifacts, error=error, retry=retry)


def _skip(request: Request, emit: Callable[..., None], attempt: Attempt) -> Outcome:
    """Complete a task whose result files all exist."""
    artifacts = [{"path": str(path), "sha256": sha256_of(path)} for path in request.outputs]
    manifest = {"task_id": request.task.task_id, "status": "success", "artifacts": artifacts}
    if attempt.save_manifest:
        attempt.save_manifest(manifest)
    emit(TaskCompleted(manifest=manifest, skipped=True))
    return Outcome(status="completed", manifest=manifest)


class _Work:
    """Runs the workflow of a settled request and records it in the run history."""

    def __init__(
        self, request: Request, session: Session, emit: Callable[..., None], attempt: Attempt
    ) -> None:
        self.artifacts: list[ArtifactCreated] = []
        self._request, self._session, self._emit, self._attempt = request, session, emit, attempt
        self._seconds = 0.0

    def run(self) -> Generator[Stage, None, dict[str, Any]]:
        """Run it; yield before each stage. Returns the manifest."""
        request, session = self._request, self._session
        folder, task_id = request.outputs[0].parent, request.task.task_id or ""
        history = session.manifest_path or folder / HISTORY
        notices = [str(notice) for notice in request.notices]
        facts: dict[str, Any] = {"run_id": session.stream.run, "checksums": {}, "notices": notices}
        try:
            request = self._request = replace(request, loras=self._fetch_loras())
            if folder not in session.swept:
                sweep(folder)
                sweep_work(folder)
                session.scratch.sweep()
                session.swept.add(folder)
            name_of = partial(portable_name, request=request, folder=folder)
            with private_inputs(request, self._attempt.private_roots, session, name_of) as private:
                facts["checksums"] = input_checksums(private, folder, lambda: session.control.check(task_id))
                yield from self._stages(private, facts["checksums"])
            request.check_intact()
        except Cancelled:
            _try_append(
                history, history_record(self._request, facts | {"status": "cancelled"}, self._seconds)
            )
            raise
        except Exception as error:
            known = to_wangp_error(error)
            ending: dict[str, Any] = {"status": "error", "error": Fault.of(known).model_dump(mode="json")}
            if isinstance(known, DamagedMediaError):
                ending["artifacts"] = listed(self.artifacts)
            _try_append(history, history_record(self._request, facts | ending, self._seconds))
            raise known from error
        manifest = history_record(
            self._request, facts | {"status": "success", "artifacts": listed(self.artifacts)}, self._seconds
        )
        append_lines(history, [manifest])
        if request.task.frees_models:
            session.pool.free()
        return manifest

    def _fetch_loras(self) -> list[LoraUse]:
        request, session = self._request, self._session
        hub = Hub(endpoint=session.settings.hub_endpoint, offline=request.offline)
        return fetch_loras(
            request.loras, hub, self._emit, lambda: session.control.check(request.task.task_id or "")
        )

    def _stages(self, request: Request, checksums: dict[str, str]) -> Generator[Stage, None, None]:
        session, attempt = self._session, self._attempt
        task = request.task
        progress = ProgressReporter(
            self._emit,
            session.control,
            request.runs,
            stages=task.stages,
            task=task.task_id or "",
            interval=session.progress_interval,
            timeout=attempt.timeout,
        )
        # Before the libraries are imported, which takes seconds.
        for spec in request.models.values():
            session.pool.check(spec)
        shared: dict[str, Any] = {
            "session": session,
            "emit": self._emit_and_record,
            "progress": progress,
            "checksums": checksums,
            "record_file": attempt.record_file,
            "root": attempt.root,
            "given": self._request.task,
        }
        job: Job
        match request:
            case RenderRequest():
                job = RenderJob(request=request, latents=attempt.latents, **shared)
            case ToolRequest():
                job = ToolJob(request=request, **shared)
            case _:
                job = Job(request=request, **shared)
        if task.prepare and task.needs_preparing:
            prepared = yield from self._steps(import_object(task.prepare)(job), progress)
            self._request = prepared_request(self._request, prepared)
            changed = changed_values(task, prepared)
            self._emit(TaskPrepared(values=changed, origin=dict.fromkeys(changed, str(ENHANCED))))
            job = replace(job, request=prepared_request(request, prepared))
        yield from self._steps(import_object(task.run)(job), progress)

    def _steps(self, workflow: Iterator[Stage], progress: ProgressReporter) -> Generator[Stage, None, Any]:
        """Yield the stages of a workflow and return its value; the time of other tasks does not count."""
        while True:
            began = time.monotonic()
            try:
                stage = next(workflow)
            except StopIteration as end:
                return end.value
            finally:
                paused = time.monotonic()
                self._seconds += paused - began
            yield stage
            progress.exclude_time(time.monotonic() - paused)
            self._session.control.check(self._request.task.task_id or "")

    def _emit_and_record(self, data: Data) -> None:
        if isinstance(data, ArtifactCreated):
            self.artifacts.append(data)
        self._emit(data)


def _try_append(history: Path, record: dict[str, Any]) -> None:
    """Append a record of an error; the error itself matters more than a history that cannot be written."""
    try:
        append_lines(history, [record])
    except (WangpError, OSError) as error:
        log.warning("the run history could not be written: %s", error)


def result_or_error(make: Callable[[], T]) -> T | WangpError:
    """The value of `make`, or its exception as a `WangpError`."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - the boundary
        return to_wangp_error(error)


def _with_field_label(error: WangpError, request: Request) -> WangpError:
    if isinstance(error, RequestError):
        return error.named(field_label(error.field, request.origin, type(request.task)))
    return error
