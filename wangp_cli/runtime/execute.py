"""The one boundary: every request runs through `execute` and has one defined outcome."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, Literal

from wangp_cli.errors import Cancelled, OutOfMemoryError, RequestError, WangpError
from wangp_cli.presets import Layer
from wangp_cli.runtime.artifacts import HISTORY, append_line, disk_error, sweep
from wangp_cli.runtime.events import (
    ArtifactCreated,
    Fault,
    Log,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskRejected,
    TaskRetrying,
    TaskStarted,
)
from wangp_cli.runtime.inputs import sha256_of
from wangp_cli.runtime.job import Job
from wangp_cli.runtime.manifest import input_checksums, record
from wangp_cli.runtime.progress import Meter
from wangp_cli.runtime.resolve import Request, label, resolve
from wangp_cli.runtime.session import Session

log = logging.getLogger(__name__)
Status = Literal["completed", "failed", "retrying", "cancelled", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a request ended."""

    status: Status
    artifacts: list[ArtifactCreated] = field(default_factory=list)
    error: WangpError | None = None
    manifest: dict[str, Any] | None = None

    @property
    def exit_code(self) -> int:
        """What the shell is told."""
        return self.error.exit_code if self.error else 0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Which try of a task this is.

    Args:
        number: counted from 1.
        retries: how many more there may be after the first.
        timeout: seconds after which it is given up.
        begin: told the files that will be written, before anything is.
    """

    number: int = 1
    retries: int = 0
    timeout: float | None = None
    begin: Callable[[list[str]], None] | None = None


def execute(
    say: Callable[[], Sequence[Layer]],
    session: Session,
    task_id: str | None = None,
    attempt: Attempt | None = None,
) -> Outcome:
    """Resolve what is said and run it. Never raises for anything a request, a model or a disk can do.

    Args:
        say: gives the layers of what was said; it may raise as `resolve` may.
        session: where it runs.
        task_id: the task's name in events; a new one where it is not known yet.
        attempt: the first and only one if not said.
    """
    task_id = task_id or str(uuid.uuid4())
    attempt = attempt or Attempt()
    emit = partial(session.stream.emit, task=task_id)
    try:
        request = resolve([*say(), Layer(name="run", values={"task_id": task_id})], session)
    except Exception as error:  # noqa: BLE001 - the boundary
        known = as_known(error)
        emit(TaskRejected(error=Fault.of(known)))
        return Outcome(status="rejected", error=known)
    if attempt.number == 1:
        emit(TaskAccepted(request=request.task.model_dump(mode="json"), origin=request.origin))
    for notice in request.notices:
        emit(Log(level="info", message=notice))
    if request.skipped:
        return _skip(request, emit)
    emit(TaskStarted())
    try:
        if attempt.begin:
            attempt.begin([str(path) for path in request.outputs])
        artifacts, manifest = _run(request, session, emit, attempt)
    except Cancelled as stop:
        emit(TaskCancelled(reason=session.control.why(task_id) or "cancel"))
        return Outcome(status="cancelled", error=stop)
    except Exception as error:  # noqa: BLE001 - the boundary
        known = _relabelled(as_known(error), request)
        if known.retryable and attempt.number <= attempt.retries:
            emit(TaskRetrying(error=Fault.of(known), next_attempt=attempt.number + 1))
            return Outcome(status="retrying", error=known)
        emit(TaskFailed(error=Fault.of(known)))
        return Outcome(status="failed", error=known)
    emit(TaskCompleted(manifest=manifest))
    return Outcome(status="completed", artifacts=artifacts, manifest=manifest)


def _skip(request: Request, emit: Callable[..., None]) -> Outcome:
    """Complete a task whose files are all there."""
    artifacts = [{"path": str(path), "sha256": sha256_of(path)} for path in request.outputs]
    manifest = {"task_id": request.task.task_id, "status": "success", "artifacts": artifacts}
    emit(TaskCompleted(manifest=manifest, skipped=True))
    return Outcome(status="completed", manifest=manifest)


def _run(
    request: Request, session: Session, emit: Callable[..., None], attempt: Attempt
) -> tuple[list[ArtifactCreated], dict[str, Any]]:
    began = time.monotonic()
    folder = request.outputs[0].parent
    history = session.manifest_path or folder / HISTORY
    if folder not in session.swept:
        sweep(folder)
        session.swept.add(folder)
    checksums = input_checksums(request.task, folder)
    meter = Meter(
        emit,
        session.control,
        len(request.outputs),
        task=request.task.task_id or "",
        interval=session.progress_interval,
        timeout=attempt.timeout,
    )
    job = Job(request=request, session=session, emit=emit, meter=meter, checksums=checksums)
    module, _, name = request.task.run.partition(":")
    workflow: Callable[[Job], list[ArtifactCreated]] = getattr(import_module(module), name)
    about = {"run_id": session.stream.run, "checksums": checksums}
    try:
        artifacts = workflow(job)
    except Cancelled:
        raise
    except Exception as error:
        known = as_known(error)
        ending = {"status": "error", "error": known.message}
        _try_append(history, record(request, about | ending, time.monotonic() - began))
        raise known from error
    made = [artifact.model_dump(mode="json", exclude_none=True) for artifact in artifacts]
    manifest = record(request, about | {"status": "success", "artifacts": made}, time.monotonic() - began)
    append_line(history, manifest)
    return artifacts, manifest


def _try_append(history: Any, failure: dict[str, Any]) -> None:
    try:
        append_line(history, failure)
    except (WangpError, OSError) as error:
        log.warning("the run history could not be written: %s", error)


def as_known(error: Exception) -> WangpError:
    """The error itself if it is one of ours, else the one that stands for it."""
    if isinstance(error, WangpError):
        return error
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        log.error("out of memory", exc_info=error)
        return OutOfMemoryError(
            f"out of memory: {str(error).splitlines()[0] if str(error) else 'the machine has none left'}",
            hint="a smaller --size or fewer --frames, or --vae-tiling",
        )
    if isinstance(error, OSError) and error.filename:
        from pathlib import Path

        mapped = disk_error(error, Path(str(error.filename)))
        if isinstance(mapped, WangpError):
            return mapped
    log.error("unexpected error", exc_info=error)
    return WangpError(
        f"{type(error).__name__}: {error}", hint="this is a bug of wangp; the log has the details"
    )


def _is_out_of_memory(error: Exception) -> bool:
    # By name, because torch is not imported here.
    return type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)


def _relabelled(error: WangpError, request: Request) -> WangpError:
    if isinstance(error, RequestError):
        text = error.message.removeprefix(f"{error.field}: ")
        return RequestError(label(error.field, request.origin), text, hint=error.hint)
    return error
