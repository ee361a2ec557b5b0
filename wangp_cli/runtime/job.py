"""One task at work: what a workflow is handed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wangp_cli.files.atomic import atomic_file
from wangp_cli.files.checksum import sha256_of
from wangp_cli.pipelines.base import Lora
from wangp_cli.runtime.events.types import ArtifactCreated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from wangp_cli.pipelines.base import Pipeline, Placement
    from wangp_cli.runtime.events.types import Emit
    from wangp_cli.runtime.progress import ProgressReporter
    from wangp_cli.runtime.request.request import Request
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.loras import Strength
    from wangp_cli.tasks.shot import Sampling


@dataclass(frozen=True, kw_only=True)
class Job:
    """A settled request with its session, its events and its progress.

    Args:
        latents: a file of latents to begin with, in the place of noise.
        record_file: told the path and the sha256 of each complete file of a result before it takes its name.
    """

    request: Request
    session: Session
    emit: Emit
    progress: ProgressReporter
    checksums: dict[str, str]
    latents: Path | None = None
    record_file: Callable[[Path, str], None] | None = None

    @contextmanager
    def new_file(self, path: Path, *, overwrite: bool | None = None) -> Iterator[Path]:
        """Give a hidden partial file to write; complete, it takes the name `path`. `publish` announces it.

        Args:
            path: the final name.
            overwrite: replace what is there; what the task says by default.

        Raises:
            ConflictError: the file is there and may not be replaced.
            NoSpaceError: the disk is full or the folder cannot be written.
        """
        if overwrite is None:
            overwrite = self.request.task.overwrite or self.request.task.skip_existing
        with atomic_file(path, overwrite=overwrite, before_rename=self.record_file) as partial:
            yield partial

    def publish(self, path: Path, role: str = "result", **facts: object) -> None:
        """Announce a complete file, which the manifest of the task then lists.

        Args:
            path: the file under its final name.
            role: what it is, such as `video`, `image`, `audio`, `sidecar` or `intermediate`.
            facts: other fields of `ArtifactCreated`.
        """
        known = {
            "sha256": sha256_of(path),
            "bytes": path.stat().st_size,
            "container": path.suffix[1:] or None,
        }
        self.emit(ArtifactCreated.model_validate({"role": role, "path": str(path), **known, **facts}))

    def loras(self, shot: Sampling | None = None, own: Sequence[Strength] = ()) -> list[Lora]:
        """The request's LoRAs with their strengths in the phases of a run.

        Args:
            shot: the run; that of the task if it is not said.
            own: strengths of the task's own LoRAs in this run; one that is 0 throughout is left out.
        """
        run, of_task = shot or self.request.task, iter(own)
        each = [
            (lora, next(of_task, lora.strength) if lora.own else lora.strength) for lora in self.request.loras
        ]
        return [
            Lora(path=lora.path, strength=strength.for_run(run))
            for lora, strength in each
            if strength.any or not own
        ]

    def pipeline(
        self, placement: Placement, *, activate_loras: bool = False, loras: Sequence[Lora] | None = None
    ) -> Pipeline:
        """The request's model, loaded.

        Args:
            placement: where and how it computes.
            activate_loras: put exactly these LoRAs on the networks; needed before denoising.
            loras: instead of all the request's.
        """
        session = self.session
        return session.pool.pipeline(
            self.request.spec,
            replace(placement, work_dir=session.scratch.folder(), data_dir=session.folders.data),
            self.loras() if loras is None else loras,
            activate_loras=activate_loras,
            progress=self.progress,
            emit=self.emit,
        )
