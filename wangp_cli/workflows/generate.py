"""Generate: a video or picture for each seed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from wangp_cli.media.clip import Audio, Frames, as_float
from wangp_cli.pipelines.base import Pipeline, Stage
from wangp_cli.pipelines.memory.placement import choose
from wangp_cli.runtime.job import Job
from wangp_cli.runtime.workspace.segments_cache import remove_empty
from wangp_cli.tasks.generate import Generate
from wangp_cli.workflows.decoding import decode_fitting, load_latents, save_latents
from wangp_cli.workflows.inputs import prepare
from wangp_cli.workflows.result import ResultWriter
from wangp_cli.workflows.soundtrack import sound_beside
from wangp_cli.workflows.source_video import SourceVideo
from wangp_cli.workflows.windows import make_windows

log = logging.getLogger(__name__)


def run(job: Job) -> Iterator[Stage]:
    """Make every result of the task, each announced when it is durable.

    Yields:
        the stage that comes next. Each asks for the model anew: another task may have used it meanwhile.
    """
    task = _task(job)
    yield "encode"
    if job.request.plan is not None:
        for index, path in enumerate(job.request.outputs):
            make_windows(job, index, path)
        return
    load = partial(job.pipeline, choose(task))
    if task.preload_policy == "start":
        load()
    conditioning, continued = _encode(job, load)
    for index, path in enumerate(job.request.outputs):
        file = job.latents
        if file:
            latents: Any = load_latents(file)
        else:
            yield "denoise"
            job.progress.begin(index + 1)
            latents = load(activate_loras=True).denoise(
                task.replace(seed=task.seed + index), conditioning, job.progress
            )
            file = save_latents(job, task, index, latents)
        yield "decode"
        write = partial(_write, ResultWriter(job=job, index=index, path=path), continued)
        with _told_where(file):
            decode_fitting(load, latents, job, write)
        if file:
            file.unlink(missing_ok=True)
            remove_empty(file.parent)


def _write(result: ResultWriter, continued: _Continued, frames: Iterator[Frames]) -> None:
    count = result.job.request.frames
    if count == 1:
        result.write_image(next(frames))
        return
    stream, count = _joined(frames, count, continued)
    result.write_video(stream, count, continued.audio)


@contextmanager
def _told_where(file: Path | None) -> Iterator[None]:
    """Whatever ends the block early, people are told where the latents are."""
    try:
        yield
    except BaseException:
        if file:
            log.warning("the latents are kept for a week; to finish: wangp decode %s", file)
        raise


@dataclass(frozen=True, kw_only=True, eq=False)
class _Continued:
    """What the new frames are joined to: a video before them, the frames they share with it, sound."""

    before: SourceVideo | None
    overlap: int
    audio: Audio | None


def _encode(job: Job, load: Callable[[], Pipeline]) -> tuple[Any, _Continued]:
    """The model's conditioning; the inputs themselves are let go, as many tasks may wait here at once."""
    task = _task(job)
    prepared = prepare(task, job.request.spec)
    audio = sound_beside(task, prepared.before, prepared.overlap, job.request.frames - prepared.overlap)
    conditioning = None if job.latents else load().encode(task, prepared.inputs, job.progress)
    return conditioning, _Continued(before=prepared.before, overlap=prepared.overlap, audio=audio)


def _joined(frames: Iterator[Frames], count: int, continued: _Continued) -> tuple[Iterator[Frames], int]:
    """The continued video, then the new frames after their overlap with it; and how many that are."""
    before = continued.before
    if before is None:
        return frames, count
    # One number format for the whole file: 8 bits survive as floats.
    stream = chain(map(as_float, before.frames(0, len(before))), skip(frames, continued.overlap))
    return stream, count + len(before) - continued.overlap


def _task(job: Job) -> Generate:
    task = job.request.task
    assert isinstance(task, Generate)
    return task


def skip(pieces: Iterator[Frames], count: int) -> Iterator[Frames]:
    """The same frames without the first `count`."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))
