"""An attempt to run a task, its outcome, and whether it is retried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from wangp_cli.errors import OutOfMemoryError, WangpError
from wangp_cli.runtime.events.types import ACCOMPANYING, ArtifactCreated
from wangp_cli.tasks.runtime import LESS_MEMORY
from wangp_cli.value_layers import Layer

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.runtime.request.request import Request
    from wangp_cli.runtime.session import Session

Status = Literal["completed", "failed", "retrying", "cancelled", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a request ended.

    Args:
        artifacts: the files it wrote, also if it failed later.
        manifest: its line of the run history.
        reason: why it was cancelled.
        retry: delay and change of the next attempt, if there is one.
    """

    status: Status
    artifacts: list[ArtifactCreated] = field(default_factory=list)
    error: WangpError | None = None
    manifest: dict[str, Any] | None = None
    reason: str | None = None
    retry: Retry | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ran only this request."""
        return self.error.exit_code if self.error else 0


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Delay of the next attempt, and the values it changes."""

    delay_seconds: float = 0.0
    change: Layer | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to run a task, with callbacks.

    Args:
        number: counted from 1.
        announce: emit `task.accepted`; not for a retry.
        line: number of its line in the task file.
        timeout: seconds of its own work after which it fails.
        record_file: called with path and sha256 of each complete file before it is renamed to its name.
        save_manifest: stores the manifest before the end is announced, so that no announced end is lost.
        retry: decides whether to retry after a retryable error.
        latents: file of latents to decode, instead of denoising.
        check_request: called with the settled request; raises if it reads or writes what it may not.
        root: folder that every file of a result must lie in, links resolved; None for any place.
        private_roots: folders that inputs must lie in, which are copied before they are used; None to use
            them as they are, in any place.
    """

    number: int = 1
    announce: bool = True
    line: int | None = None
    timeout: float | None = None
    record_file: Callable[[Path, str], None] | None = None
    save_manifest: Callable[[dict[str, Any]], None] | None = None
    retry: Callable[[WangpError], Retry | None] | None = None
    latents: Path | None = None
    check_request: Callable[[Request], None] | None = None
    root: Path | None = None
    private_roots: Sequence[Path] | None = None


def listed(artifacts: Sequence[ArtifactCreated]) -> list[dict[str, Any]]:
    """The artifacts as the run history lists them: results first, as readers of the first file expect."""
    ordered = sorted(artifacts, key=lambda artifact: artifact.role in ACCOMPANYING)
    return [artifact.model_dump(mode="json", exclude_none=True) for artifact in ordered]


def retry_with_less_memory(session: Session, error: WangpError) -> Retry | None:
    """After an out-of-memory error: free all models and retry with the next profile, which needs less."""
    if not isinstance(error, OutOfMemoryError):
        return None
    profile = LESS_MEMORY.get(session.pool.profile)
    session.pool.free()
    return Retry(change=Layer(kind="retry", values={"profile": profile})) if profile else None
