"""Which try of a task a run is, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from wangp_cli.errors import OutOfMemoryError, WangpError
from wangp_cli.runtime.events.types import ArtifactCreated
from wangp_cli.tasks.runtime import LESS_MEMORY
from wangp_cli.value_layers import Layer

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.runtime.session import Session

Status = Literal["completed", "failed", "retrying", "cancelled", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a request ended.

    Args:
        artifacts: the files it made, also where it did not end well.
        manifest: its line of the run history.
        reason: why it was cancelled.
        retry: of a request that is tried again, when and with what change.
    """

    status: Status
    artifacts: list[ArtifactCreated] = field(default_factory=list)
    error: WangpError | None = None
    manifest: dict[str, Any] | None = None
    reason: str | None = None
    retry: Retry | None = None

    @property
    def exit_code(self) -> int:
        """What the shell is told."""
        return self.error.exit_code if self.error else 0


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Another attempt: after which pause, and what it changes."""

    delay_seconds: float = 0.0
    change: Layer | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Which try of a task this is, and who is told how it goes.

    Args:
        number: counted from 1.
        announce: whether the task is new to the reader of events.
        line: of the file it came from.
        notices: for people, from the reader of that file.
        timeout: seconds of its own work after which it is given up.
        record_file: told the path and the sha256 of each complete file before it takes its name.
        save_manifest: stores the manifest before the end is announced, so that no announced end is lost.
        retry: whether and how to try again after an error that may pass.
        latents: a file of latents to begin with.
    """

    number: int = 1
    announce: bool = True
    line: int | None = None
    notices: Sequence[str] = ()
    timeout: float | None = None
    record_file: Callable[[Path, str], None] | None = None
    save_manifest: Callable[[dict[str, Any]], None] | None = None
    retry: Callable[[WangpError], Retry | None] | None = None
    latents: Path | None = None


def retry_with_less_memory(session: Session, error: WangpError) -> Retry | None:
    """After memory ran out: everything is freed, and the next profile needs less."""
    if not isinstance(error, OutOfMemoryError):
        return None
    profile = LESS_MEMORY.get(session.pool.profile)
    session.pool.free()
    return Retry(change=Layer(kind="retry", values={"profile": profile})) if profile else None
