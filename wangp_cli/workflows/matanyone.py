"""The workflow of `matanyone`: mattes of objects, and the frames put together with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np

from wangp_cli.matting.classic import ClassicMatter
from wangp_cli.matting.composite import GREEN_SCREEN, over_colour, together, with_alpha
from wangp_cli.matting.matter import Alpha, Mask, Matter
from wangp_cli.media.clip import Audio, Frames, as_type, single_frames, to_rgb
from wangp_cli.media.resize import fit
from wangp_cli.pipelines.memory.placement import choose_device
from wangp_cli.runtime.job import ToolJob
from wangp_cli.tasks.engines import CLASSIC
from wangp_cli.tasks.matanyone import UNREFINED, Matanyone, alpha_path
from wangp_cli.tasks.stages import Stage
from wangp_cli.workflows.matte_files import FrameFile, matte_file, rgba_files
from wangp_cli.workflows.object_masks import object_masks
from wangp_cli.workflows.result import ResultWriter
from wangp_cli.workflows.tool_stream import input_audio, report_frames, stream_frames


def run(job: ToolJob) -> Iterator[Stage]:
    """Write and publish the mattes and what is made with them.

    Yields:
        the stage that comes next.
    """
    task = job.request.task
    assert isinstance(task, Matanyone)
    yield "load"
    masks = object_masks(job, task)
    steps = _Steps(job)
    matter = _matter(job, task, steps)
    refiner = None if task.refiner == UNREFINED else job.network("refiner")
    yield "process"
    mattes = [matter.mattes(_frames(job, task), of_object) for of_object in masks]
    [path] = job.request.outputs
    each = range(1, len(mattes) + 1) if task.each_object and len(mattes) > 1 else ()
    paths = [alpha_path(path), *(alpha_path(path, number) for number in each)]
    with ExitStack() as stack:
        # The last that is entered is left, and so published, first.
        archive = stack.enter_context(rgba_files(job, path))
        files = [stack.enter_context(matte_file(job, one)) for one in reversed(paths)][::-1]
        shown = _shown(job, mattes, refiner, files, archive, steps)
        writer = ResultWriter(job=job, index=0, path=path, role="mask_foreground")
        if job.request.shape.fps is None:
            writer.write_image(np.concatenate(list(report_frames(job, shown))))
        else:
            writer.write_video(report_frames(job, shown), job.request.shape.frames, _audio(job, task))


class _Steps:
    """The frames that are done, to report also while an engine looks ahead and none is made."""

    def __init__(self, job: ToolJob) -> None:
        self._job, self.done = job, 0

    def check(self) -> None:
        """Pause or stop where that is wanted."""
        self._job.progress("process", self.done, self._job.request.shape.frames)


def _shown(
    job: ToolJob,
    mattes: Sequence[Iterable[Alpha]],
    refiner: _Refiner | None,
    files: Sequence[FrameFile],
    archive: FrameFile | None,
    steps: _Steps,
) -> Iterator[Frames]:
    """The frames of the main result; on the way mattes and RGBA frames are written.

    Args:
        job: of the task.
        mattes: of each object.
        refiner: of their edges; it has each frame here, where none waits for an engine that looks ahead.
        files: for the matte of all objects, then for those of each, which may be missing.
        archive: for RGBA frames.
        steps: counts the frames.
    """
    task = job.request.task
    assert isinstance(task, Matanyone)
    of_objects = [single_frames(matte) for matte in mattes]
    for frame in single_frames(_frames(job, task)):
        alphas = [_refined(refiner, frame, next(of_object)) for of_object in of_objects]
        alphas = [together(alphas), *alphas]
        if task.matting == "background":
            alphas = [1 - alpha for alpha in alphas]
        for file, alpha in zip(files, alphas, strict=False):
            file.add(as_type(alpha, frame.dtype))
        if archive is not None:
            archive.add(with_alpha(frame, alphas[0]))
        steps.done += 1
        yield _composed(task, frame, alphas[0])
    # They are complete before the main result is, which tells that the task is done.
    for part in (*files, *([archive] if archive else [])):
        part.finish(job.request.shape.frames)


def _composed(task: Matanyone, frame: Frames, alpha: Alpha) -> Frames:
    if task.mask_type == "alpha":
        return with_alpha(frame, alpha)
    if task.mask_type == "greenscreen":
        return as_type(over_colour(frame, alpha, GREEN_SCREEN), frame.dtype)
    return frame


def _matter(job: ToolJob, task: Matanyone, steps: _Steps) -> Matter:
    """The engine, with its settings."""
    if task.engine == CLASSIC:
        device, _ = choose_device(task)
        folder = job.session.scratch.folder()
        return ClassicMatter(device, work_dir=folder, max_size=task.max_size, check=steps.check)
    network: Any = job.network("engine")
    if job.request.models["engine"].architecture == "matanyone":
        from wangp_cli.networks.matanyone.follow import FollowSettings

        network = network.with_settings(FollowSettings(warmup=task.warmup_frames), task.max_size)
    matter: Matter = network
    return matter


class _Refiner(Protocol):
    """A model that refines edges, such as ViTMatte."""

    def refine(self, frame: Frames, alpha: Mask, /) -> Mask:
        """Alpha `[H, W]` of a frame `[H, W, 3]`, refined."""
        ...


def _refined(refiner: _Refiner | None, frame: Frames, alpha: Alpha) -> Alpha:
    """The alpha of one frame with refined edges; as it is without a refiner."""
    return alpha if refiner is None else refiner.refine(frame[0], alpha[0, :, :, 0])[None, :, :, None]


def _frames(job: ToolJob, task: Matanyone) -> Iterator[Frames]:
    """The used frames, RGB at the size of the result; each call reads the file again, to keep memory flat."""
    shape = job.request.shape
    for piece in stream_frames(job, task.video, start=task.start_frame, count=shape.frames):
        yield fit(as_type(to_rgb(piece), piece.dtype), *shape.size)


def _audio(job: ToolJob, task: Matanyone) -> Audio | None:
    """The audio of the used frames."""
    if not task.audio:
        return None
    return input_audio(job, task.video, start=task.start_frame, count=job.request.shape.frames)
