"""What a workflow is called with: the request, the session, events and progress."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wangp_cli.files.atomic import atomic_file
from wangp_cli.files.atomic_folder import new_folder
from wangp_cli.files.checksum import bytes_of, sha256_of
from wangp_cli.files.mime import FOLDER
from wangp_cli.pipelines.base import Lora
from wangp_cli.runtime.events.types import ArtifactCreated
from wangp_cli.tasks.runtime import Compute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Pipeline, Placement
    from wangp_cli.runtime.events.types import Emit
    from wangp_cli.runtime.progress import ProgressReporter
    from wangp_cli.runtime.request.request import RenderRequest, Request, ToolRequest
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.lora_strength import Strength
    from wangp_cli.tasks.render import Render
    from wangp_cli.tasks.shot import Sampling
    from wangp_cli.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Job:
    """A settled request with its session, its events and its progress.

    Args:
        record_file: told the path and the sha256 of each complete file of a result before it takes its name.
        given: the task with the input files that were given, of which `request` may have private copies.
        root: folder that every file of a result must lie in, links resolved; None for any place.
        checksums: sha256 of the input files, by the names that the run history has for them.
    """

    request: Request
    session: Session
    emit: Emit
    progress: ProgressReporter
    checksums: dict[str, str]
    record_file: Callable[[Path, str], None] | None = None
    root: Path | None = None
    given: Task | None = None

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
        with atomic_file(
            path, overwrite=overwrite, inside=self.root, before_rename=self.record_file
        ) as partial:
            yield partial

    @contextmanager
    def new_folder(self, path: Path, *, may_replace: Callable[[Path], bool] | None = None) -> Iterator[Path]:
        """Give a hidden partial folder to fill with files; complete, it takes the name `path`.

        Args:
            path: the final name.
            may_replace: whether what is there is an earlier result, which a task that overwrites may remove;
                by default only an empty folder is replaced.

        Raises:
            ConflictError: the folder is there and may not be replaced.
            NoSpaceError: the disk is full or the folder cannot be written.
        """
        task = self.request.task

        def replaced(folder: Path) -> bool:
            if not folder.is_dir() or folder.is_symlink():
                return False
            ours = task.overwrite or task.skip_existing
            return not any(folder.iterdir()) or (ours and may_replace is not None and may_replace(folder))

        with new_folder(
            path, may_replace=replaced, inside=self.root, before_rename=self.record_file
        ) as partial:
            yield partial

    def publish(self, path: Path, role: str = "result", **facts: object) -> None:
        """Announce a complete file or folder, which the manifest of the task then lists.

        Args:
            path: of it, under its final name.
            role: what it is, such as `video`, `image`, `audio`, `sidecar` or `intermediate`; where an input
                is damaged, each file is `partial`.
            facts: other fields of `ArtifactCreated`.
        """
        known = {"sha256": sha256_of(path), "bytes": bytes_of(path)}
        known |= {"mime": FOLDER} if path.is_dir() else {"container": path.suffix[1:] or None}
        if self.request.facts.damage:
            role = "partial"
        self.emit(ArtifactCreated.model_validate({"role": role, "path": str(path), **known, **facts}))

    def pipeline(
        self,
        spec: ModelSpec,
        placement: Placement,
        loras: Sequence[Lora] = (),
        *,
        activate_loras: bool = False,
    ) -> Pipeline:
        """A model, loaded; it serves until another model is asked for, in this job or another.

        Args:
            spec: one of the request's models.
            placement: where and how it computes.
            loras: those that it will need; checked before the model is loaded.
            activate_loras: put exactly these LoRAs on the networks; needed before denoising.

        Raises:
            ModelError: weights or LoRAs are missing or broken, or do not fit.
        """
        session = self.session
        return session.pool.pipeline(
            spec,
            replace(placement, work_dir=session.scratch.folder(), data_dir=session.folders.data),
            loras,
            activate_loras=activate_loras,
            progress=self.progress,
            emit=self.emit,
        )

    def network(self, role: str) -> Any:
        """The auxiliary network of a model's role, loaded; it may stay so for later tasks.

        Args:
            role: in the request's models; that of an engine is the field that names it.

        Raises:
            ModelError: weights are missing or broken, or do not fit.
            ResourceError: the device does not exist.
        """
        from wangp_cli.pipelines.memory.placement import choose_device

        task = self.request.task
        assert isinstance(task, Compute)
        device, dtype = choose_device(task)
        return self.session.pool.network(self.request.models[role], device, dtype, self.emit)

    def engine(self, field: str) -> Any:
        """The network of the engine that a field names, loaded; None for the method without weights.

        Raises:
            ModelError, ResourceError: as `network`.
        """
        return self.network(field) if field in self.request.models else None


@dataclass(frozen=True, kw_only=True)
class ToolJob(Job):
    """The job of a tool."""

    request: ToolRequest


@dataclass(frozen=True, kw_only=True)
class RenderJob(Job):
    """The job of a task that a diffusion model renders.

    Args:
        latents: file of latents to decode, instead of denoising.
    """

    request: RenderRequest
    given: Render | None = None
    latents: Path | None = None

    def loras(self, shot: Sampling | None = None, own: Sequence[Strength] = ()) -> list[Lora]:
        """The request's LoRAs with their strengths expanded to the phases of a run.

        Args:
            shot: the run; that of the task by default.
            own: strengths of the task's own LoRAs in this run; one that is 0 throughout is left out.
        """
        run, of_task = shot or self.request.task, iter(own)
        each = [
            (lora, next(of_task, lora.strength) if lora.own else lora.strength) for lora in self.request.loras
        ]
        return [
            Lora(path=lora.path, strength=strength.for_run(run))
            for lora, strength in each
            if strength.is_nonzero or not own
        ]
