"""Events: what happens in a run, one typed record each, in one ordered stream."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from wangp_cli.errors import WangpError
from wangp_cli.pipelines.base import Stage

PROTOCOL = "1.0"


class Data(BaseModel):
    """The payload of one event type."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: ClassVar[str]


class RunStarted(Data):
    """First of a run."""

    type = "run.started"
    protocol: str = PROTOCOL
    version: str
    command: str
    host: str
    pid: int


class TaskAccepted(Data):
    """A request became a task; `request` has every value, `origin` where each came from."""

    type = "task.accepted"
    request: dict[str, Any]
    origin: dict[str, str]


class Fault(BaseModel):
    """An error as data."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    message: str
    hint: str | None = None
    retryable: bool = False
    exit_code: int

    @classmethod
    def of(cls, error: WangpError) -> Fault:
        """The same error as data."""
        return cls(
            kind=error.kind,
            message=error.message,
            hint=error.hint,
            retryable=error.retryable,
            exit_code=error.exit_code,
        )


class TaskRejected(Data):
    """A request never became a task."""

    type = "task.rejected"
    line: int | None = None
    error: Fault


class TaskStarted(Data):
    """Work on the task begins."""

    type = "task.started"


class ModelLoading(Data):
    """Weights are being read."""

    type = "model.loading"
    model: str


class ModelLoaded(Data):
    """The model is ready."""

    type = "model.loaded"
    model: str
    seconds: float
    device: str
    dtype: str
    attention: str


class DownloadProgress(Data):
    """Bytes of a file that is being fetched."""

    type = "download.progress"
    file: str
    bytes: int
    total: int | None


class TaskStage(Data):
    """A stage of the task begins; `result` counts the results of one task from 1."""

    type = "task.stage"
    stage: Stage
    result: int
    results: int


class TaskProgress(Data):
    """How far a stage is; `fraction` is of the whole task and never falls."""

    type = "task.progress"
    stage: Stage
    step: int
    total: int
    fraction: float
    it_s: float | None = None
    eta_s: float | None = None


class ArtifactCreated(Data):
    """A file is complete and durable."""

    type = "artifact.created"
    role: str
    path: str
    sha256: str
    bytes: int
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: str | None = None
    duration_s: float | None = None
    container: str | None = None
    codec: str | None = None
    seed: int | None = None
    metadata_sidecar: str | None = None


class TaskCompleted(Data):
    """The task is done; the manifest as in the run history."""

    type = "task.completed"
    manifest: dict[str, Any]


class TaskFailed(Data):
    """The task failed."""

    type = "task.failed"
    error: Fault


class TaskCancelled(Data):
    """The user stopped the task."""

    type = "task.cancelled"


class Log(Data):
    """A line for people."""

    type = "log"
    level: Literal["info", "warning"]
    message: str


class RunFinished(Data):
    """Last of a run."""

    type = "run.finished"
    counts: dict[str, int]
    exit_code: int


class Event(BaseModel):
    """The envelope."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    v: int = 1
    type: str
    seq: int
    ts: str
    run: str
    task: str | None = None
    data: dict[str, Any]

    def line(self) -> str:
        """One JSON line, without the newline; events of the run itself have no `task`."""
        body = self.model_dump()
        if self.task is None:
            del body["task"]
        return json.dumps(body, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


Emit: TypeAlias = Callable[[Data], None]
Sink: TypeAlias = Callable[[Event], None]


class Stream:
    """Numbers events and hands them to the sinks, in order."""

    def __init__(self, run: str, sinks: Sequence[Sink]) -> None:
        self.run = run
        self._sinks = list(sinks)
        self._seq = 0
        self.counts = {"completed": 0, "failed": 0, "cancelled": 0, "rejected": 0}
        self.started = time.monotonic()

    def emit(self, data: Data, task: str | None = None) -> None:
        """Send one event."""
        self._seq += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = Event(
            type=data.type, seq=self._seq, ts=now, run=self.run, task=task, data=data.model_dump(mode="json")
        )
        outcome = data.type.removeprefix("task.")
        if outcome in self.counts:
            self.counts[outcome] += 1
        for sink in self._sinks:
            sink(event)
