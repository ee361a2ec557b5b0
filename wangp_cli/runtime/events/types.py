"""The event types of a run, one pydantic model each."""

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

    `scope` says whether the event belongs to a task, to the run, or to either. A `lossy` event may be dropped
    when the reader is slow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    type: ClassVar[str]
    scope: ClassVar[Scope] = "task"
    lossy: ClassVar[bool] = False


class RunStarted(Data):
    """First event of a run; `planned` counts its tasks if known, `control` is its control socket."""

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
    """A request was accepted as a task; `request` has every value, `origin` the source of each."""

    type = "task.accepted"
    line: int | None = None
    request: dict[str, Any]
    origin: dict[str, str]


class Fault(BaseModel):
    """An error as JSON data."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    kind: str
    message: str
    hint: str | None = None
    retryable: bool = False
    exit_code: int
    cause: str | None = None

    @classmethod
    def of(cls, error: WangpError) -> Fault:
        """Convert an error."""
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
    """A request was rejected before it became a task."""

    type = "task.rejected"
    line: int | None = None
    error: Fault


class TaskStarted(Data):
    """An attempt at the task starts."""

    type = "task.started"


class TaskPrepared(Data):
    """The task's `prepare` stage is done; `values` took the place of the given ones, with a new origin."""

    type = "task.prepared"
    values: dict[str, Any]
    origin: dict[str, str]


class ModelLoading(Data):
    """The weights of a model are being loaded."""

    type = "model.loading"
    scope = "either"
    model: str


class ModelLoaded(Data):
    """A model is loaded; `why` its profile was chosen, `parts` which were loaded and which shared.

    Auxiliary networks, such as interpolators, have no profile, no VAE and no quantization.
    """

    type = "model.loaded"
    scope = "either"
    model: str
    seconds: float
    device: str
    dtype: str
    attention: str | None = None
    vae_dtype: str | None = None
    profile: str | None = None
    why: str | None = None
    transformer_quantization: str | None = None
    text_encoder_quantization: str | None = None
    compiled: bool = False
    parts: dict[str, Literal["loaded", "shared"]]


class LoraLoaded(Data):
    """A LoRA file was loaded into the model; `left_out` counts keys for inputs that the model lacks."""

    type = "lora.loaded"
    scope = "either"
    path: str
    layers: int
    left_out: int = 0
    seconds: float


class DownloadProgress(Data):
    """A download goes on: `done` of `total` files, `bytes` of `bytes_total`; `file` is the current one."""

    type = "download.progress"
    scope = "either"
    lossy = True
    file: str
    done: int
    total: int
    bytes: int = 0
    bytes_total: int = 0


class TaskStage(Data):
    """A stage of the task starts; `label` is its name for people.

    `result` is the number, from 1, of the result or of the model run of a plan.
    """

    type = "task.stage"
    stage: Stage
    label: str
    result: int
    results: int


class TaskProgress(Data):
    """Progress of a stage; `fraction` is that of the whole task, from 0 to 1, and never falls."""

    type = "task.progress"
    lossy = True
    stage: Stage
    step: int
    total: int
    fraction: float
    it_s: float | None = None
    eta_s: float | None = None


ACCOMPANYING = frozenset({"sidecar", "intermediate"})
"""Roles of files that accompany a result."""


class ArtifactCreated(Data):
    """A file was written completely and durably; `uri` and `mime` follow from its path.

    `role` is `video` or `image` of a result, `visualization` of the video that shows how a result was made,
    `sidecar` of the request beside a result, `intermediate` of a part that is kept on request, `partial` of a
    file that ends where an input is damaged; of a matte `mask_foreground` is its frames, `mask_alpha` the
    alpha in grey, `rgba_archive` PNG files.
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
    """An attempt failed and another follows after `delay_s`; `change` says what it does differently."""

    type = "task.retrying"
    error: Fault
    next_attempt: int
    delay_s: float = 0.0
    change: str | None = None


class TaskPaused(Data):
    """The task is paused between two steps; model and latents stay in memory."""

    type = "task.paused"
    stage: Stage
    step: int
    total: int


class TaskResumed(Data):
    """The task continues after a pause of `held_s` seconds."""

    type = "task.resumed"
    held_s: float


class TaskCompleted(Data):
    """The task succeeded; `manifest` is its line of the run history, `skipped` if an earlier run did it."""

    type = "task.completed"
    manifest: dict[str, Any]
    skipped: bool = False


class TaskFailed(Data):
    """The task failed."""

    type = "task.failed"
    error: Fault


class TaskCancelled(Data):
    """The task was cancelled."""

    type = "task.cancelled"
    reason: str = "cancel"


class Log(Data):
    """A log message for people; `logger` names the module it comes from."""

    type = "log"
    scope = "either"
    lossy = True
    level: Literal["info", "warning", "error"]
    message: str
    logger: str | None = None


class Heartbeat(Data):
    """The run is alive, though it had no other event for a while."""

    type = "heartbeat"
    scope = "run"
    lossy = True


class RunFinished(Data):
    """Last event of a run; `reason` says why it ended early."""

    type = "run.finished"
    scope = "run"
    counts: dict[str, int]
    exit_code: int
    reason: str | None = None


Emit: TypeAlias = Callable[[Data], None]
