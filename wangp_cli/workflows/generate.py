"""Generate: a video or image for each seed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from wangp_cli.media.clip import Audio, Frames, as_float
from wangp_cli.pipelines.base import Decoded, Pipeline
from wangp_cli.pipelines.memory.placement import choose
from wangp_cli.runtime.events.types import Log
from wangp_cli.runtime.job import RenderJob
from wangp_cli.runtime.workspace.segments_cache import remove_empty
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.stages import Stage
from wangp_cli.workflows.control_pictures import GuidePictures, guide_of
from wangp_cli.workflows.debug_outputs import write_conditioning
from wangp_cli.workflows.decoding import decode_within_memory, find_latents, load_latents, save_latents
from wangp_cli.workflows.inputs import read_inputs
from wangp_cli.workflows.result import ResultWriter
from wangp_cli.workflows.soundtrack import has_given_audio, shot_audio
from wangp_cli.workflows.source_video import SourceVideo
from wangp_cli.workflows.windows import write_windows

log = logging.getLogger(__name__)


def run(job: RenderJob) -> Iterator[Stage]:
    """Write and publish every result of the task.

    Yields:
        the stage that comes next. Each asks the pool for the model: another task may have used it meanwhile.
    """
    task = _task(job)
    yield "encode"
    guide = guide_of(job)
    if job.request.plan is not None:
        for index, path in enumerate(job.request.outputs):
            write_windows(job, index, path, guide)
        return
    load = partial(job.pipeline, job.request.spec, choose(task), job.loras())
    if task.preload_policy == "start":
        load()
    kept = [job.latents or find_latents(job, task, index) for index in range(len(job.request.outputs))]
    conditioning, continued = _encode(job, load, None if all(kept) else guide, decodes_only=all(kept))
    for index, path in enumerate(job.request.outputs):
        if file := kept[index]:
            latents: Any = load_latents(file)
            if not job.latents:
                text = f"latents of result {index + 1} are there already"
                job.emit(Log(level="info", message=text))
        else:
            yield "denoise"
            job.progress.begin(index + 1)
            latents = load(activate_loras=True).denoise(
                task.replace(seed=task.seed + index), conditioning, job.progress
            )
            file = save_latents(job, task, index, latents)
        yield "decode"
        write = partial(_write, job, ResultWriter(job=job, index=index, path=path), continued)
        with _log_kept_latents(file):
            decode_within_memory(load, latents, job, write)
        if file:
            file.unlink(missing_ok=True)
            remove_empty(file.parent)


def _write(job: RenderJob, result: ResultWriter, continued: _ContinuedVideo, decoded: Decoded) -> None:
    count = job.request.frames
    if count == 1:
        result.write_image(next(decoded.frames))
        return
    audio = continued.audio
    if decoded.audio is not None and not has_given_audio(task := _task(job)):
        new = count - continued.overlap
        audio = shot_audio(task, continued.before, continued.overlap, new, decoded.audio)
    stream, count = _prepend_source(decoded.frames, count, continued)
    result.write_video(stream, count, audio)


@contextmanager
def _log_kept_latents(file: Path | None) -> Iterator[None]:
    """Log where the latents are if the block ends early."""
    try:
        yield
    except BaseException:
        if file:
            log.warning("the latents are kept for a week; to finish: wangp decode %s", file)
        raise


@dataclass(frozen=True, kw_only=True, eq=False)
class _ContinuedVideo:
    """The video before the generated frames, their overlap with it, and audio of files."""

    before: SourceVideo | None
    overlap: int
    audio: Audio | None


def _encode(
    job: RenderJob, load: Callable[[], Pipeline], guide: GuidePictures | None, *, decodes_only: bool
) -> tuple[Any, _ContinuedVideo]:
    """The model's conditioning; the inputs are not kept, as many tasks may wait here at once."""
    task = _task(job)
    prepared = read_inputs(task, job.request.spec, job.request.facts, guide)
    if task.keep_intermediates and not decodes_only:
        write_conditioning(job, prepared.inputs, Fraction(task.fps))
    audio = shot_audio(task, prepared.before, prepared.overlap, job.request.frames - prepared.overlap)
    conditioning = None if decodes_only else load().encode(task, prepared.inputs, job.progress)
    return conditioning, _ContinuedVideo(before=prepared.before, overlap=prepared.overlap, audio=audio)


def _prepend_source(
    frames: Iterator[Frames], count: int, continued: _ContinuedVideo
) -> tuple[Iterator[Frames], int]:
    """The continued video, then the new frames after their overlap with it; and the count of both."""
    before = continued.before
    if before is None:
        return frames, count
    # One dtype for the whole file: 8 bits survive as floats.
    stream = chain(map(as_float, before.frames(0, len(before))), skip_frames(frames, continued.overlap))
    return stream, count + len(before) - continued.overlap


def _task(job: RenderJob) -> Generate:
    task = job.request.task
    assert isinstance(task, Generate)
    return task


def skip_frames(pieces: Iterator[Frames], count: int) -> Iterator[Frames]:
    """The same frames without the first `count`."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))
