"""The worker: takes one job after another from a store and runs it through the one boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.errors import Cancelled, NoSpaceError, OutOfMemoryError
from wangp_cli.presets import Layer
from wangp_cli.runtime.admit import unpack
from wangp_cli.runtime.events import Fault, TaskCancelled
from wangp_cli.runtime.execute import Attempt, Outcome, execute
from wangp_cli.runtime.inputs import sha256_of

if TYPE_CHECKING:
    from wangp_cli.runtime.session import Session
    from wangp_cli.runtime.store import Store, StoredJob

CAREFUL = Layer(name="retry", values={"vae_tiling": True})
"""What an attempt after one that ran out of memory changes."""


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Runs jobs of one store in one session."""

    store: Store
    session: Session
    retries: int = 0
    timeout: float | None = None

    def work(self, job: StoredJob) -> Outcome:
        """Run a claimed job and tell the store how it ended."""
        if self.session.control.is_cancelled(job.key):
            self.session.stream.emit(TaskCancelled(reason="cancel"), task=job.key)
            self.store.cancel(job)
            return Outcome(status="cancelled", error=Cancelled("stopped by the user"))
        layers = unpack(job.said)
        if job.attempt > 1:
            remove_outputs(job)
        if (job.error or {}).get("kind") == OutOfMemoryError.kind:
            layers.append(CAREFUL)
        attempt = Attempt(
            number=job.attempt,
            retries=self.retries,
            timeout=self.timeout,
            begin=lambda outputs: self.store.begin(job, outputs),
        )
        outcome = execute(lambda: layers, self.session, job.key, attempt)
        if outcome.status == "completed":
            self.store.succeed(job, outcome.manifest or {})
        elif outcome.status == "cancelled" and self.session.control.ending:
            self.store.release(job)
        elif outcome.status == "cancelled":
            self.store.cancel(job)
        elif outcome.error is not None:
            fault = Fault.of(outcome.error).model_dump(mode="json")
            self.store.fail(job, fault, retry=outcome.status == "retrying")
        return outcome


def remove_outputs(job: StoredJob) -> None:
    """Remove what an unfinished attempt may have left under its final names."""
    for name in job.outputs or []:
        Path(name).unlink(missing_ok=True)


def finished(job: StoredJob) -> bool:
    """Whether a done job's files are all there, unchanged."""
    artifacts: Sequence[dict[str, str]] = (job.result or {}).get("artifacts", [])
    return bool(artifacts) and all(
        Path(artifact["path"]).is_file() and sha256_of(Path(artifact["path"])) == artifact["sha256"]
        for artifact in artifacts
    )


def is_fatal(outcome: Outcome) -> bool:
    """Whether the next job would meet the same end, as on a full disk."""
    return isinstance(outcome.error, NoSpaceError)
