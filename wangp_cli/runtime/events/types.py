"""Events: what happens in a run, one typed record each, in one ordered stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, model_validator

from wangp_cli.errors import WangpError
from wangp_cli.files.mime import MIME
from wangp_cli.tasks.stages import Stage

PROTOCOL = "1.0"
Scope = Literal["run", "task", "either"]


class Data(BaseModel):
    """The payload of one event type.

    `scope` says whose event it is; one that is `lossy` may be left out when the reader is slow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    type: ClassVar[str]
    scope: ClassVar[Scope] = "task"
    lossy: ClassVar[bool] = False


class RunStarted(Data):
    """First of a run; `planned` counts its tasks where that is known, `control` is the socket to steer it."""

    type = "run.started"
    scope = "run"
    protocol: str = PROTOCOL
    version: str
    command: str
    argv: list[str] = []
    host: str
    pid: int
    planned: int | None = None
    control: str | None = None


class TaskAccepted(Data):
    """A request became a task; `request` has every value, `origin` where each came from."""

    type = "task.accepted"
    line: int | None = None
    request: dict[str, Any]
    origin: dict[str, str]


class Fault(BaseModel):
    """An error as data."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    kind: str
    message: str
    hint: str | None = None
    retryable: bool = False
    exit_code: int
    cause: str | None = None

    @classmethod
    def of(cls, error: WangpError) -> Fault:
        """The same error as data."""
        cause = error.__cause__
        return cls(
            cause=f"{type(cause).__name__}: {cause}" if cause else None,
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
    """Work on the task begins; once for each attempt."""

    type = "task.started"


class ModelLoading(Data):
    """Weights are being read."""

    type = "model.loading"
    scope = "either"
    model: str


class ModelLoaded(Data):
    """The model is ready; `why` its profile was chosen, `parts` whether each was loaded or there already."""

    type = "model.loaded"
    scope = "either"
    model: str
    seconds: float
    device: str
    dtype: str
    attention: str
    vae_dtype: str
    profile: str
    why: str
    transformer_quantization: str
    text_encoder_quantization: str
    compiled: bool
    parts: dict[str, Literal["loaded", "shared"]]


class LoraLoaded(Data):
    """A LoRA file was read and is on the model; `left_out` keys are for inputs that the model has not."""

    type = "lora.loaded"
    scope = "either"
    path: str
    layers: int
    left_out: int = 0
    seconds: float


class DownloadProgress(Data):
    """A model is being fetched: `done` of `total` files are here, and so many bytes; `file` is on its way."""

    type = "download.progress"
    scope = "either"
    lossy = True
    file: str
    done: int
    total: int
    bytes: int = 0
    bytes_total: int = 0


class TaskStage(Data):
    """A stage of the task begins, which people know by `label`.

    `result` counts from 1 its results, or the runs of its plan.
    """

    type = "task.stage"
    stage: Stage
    label: str
    result: int
    results: int


class TaskProgress(Data):
    """How far a stage is; `fraction` is of the whole task and never falls."""

    type = "task.progress"
    lossy = True
    stage: Stage
    step: int
    total: int
    fraction: float
    it_s: float | None = None
    eta_s: float | None = None


ACCOMPANYING = frozenset({"sidecar", "intermediate"})
"""Roles of files that come with a result and are none themselves."""


class ArtifactCreated(Data):
    """A file is complete and durable; `uri` and `mime` follow from its path.

    `role` is `video` or `image` of a result, `visualization` of the video that shows how a result was made,
    `sidecar` of the request beside a result, `intermediate` of a part that is kept on request.
    """

    type = "artifact.created"
    role: str = "result"
    path: str
    uri: str
    mime: str
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

    @model_validator(mode="before")
    @classmethod
    def _place(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("path"), str):
            return values
        path = Path(values["path"])
        mime = MIME.get(path.suffix.lower(), "application/octet-stream")
        return {"uri": path.absolute().as_uri(), "mime": mime} | values


class TaskRetrying(Data):
    """An attempt failed and another follows after a pause; `change` says what will be different."""

    type = "task.retrying"
    error: Fault
    next_attempt: int
    delay_s: float = 0.0
    change: str | None = None


class TaskPaused(Data):
    """The task holds between two steps; model and latents stay in memory."""

    type = "task.paused"
    stage: Stage
    step: int
    total: int


class TaskResumed(Data):
    """The task goes on after a pause."""

    type = "task.resumed"
    held_s: float


class TaskCompleted(Data):
    """The task is done; the manifest as in the run history. `skipped`: an earlier run had done it."""

    type = "task.completed"
    manifest: dict[str, Any]
    skipped: bool = False


class TaskFailed(Data):
    """The task failed."""

    type = "task.failed"
    error: Fault


class TaskCancelled(Data):
    """The task was stopped."""

    type = "task.cancelled"
    reason: str = "cancel"


class Log(Data):
    """A line for people; `logger` names the part of the program it comes from."""

    type = "log"
    scope = "either"
    lossy = True
    level: Literal["info", "warning", "error"]
    message: str
    logger: str | None = None


class Heartbeat(Data):
    """Nothing else was said for a while; the run is alive."""

    type = "heartbeat"
    scope = "run"
    lossy = True


class RunFinished(Data):
    """Last of a run; `reason` says why it ended early."""

    type = "run.finished"
    scope = "run"
    counts: dict[str, int]
    exit_code: int
    reason: str | None = None


Emit: TypeAlias = Callable[[Data], None]
