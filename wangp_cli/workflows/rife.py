"""The workflow of `rife`: a stream of frames and those in between."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wangp_cli.media.clip import Audio, Frames, as_type, to_rgb
from wangp_cli.media.resize import fit
from wangp_cli.media.stills import read_image
from wangp_cli.motion.interpolator import Interpolator
from wangp_cli.motion.resample import replace_duplicates, resample
from wangp_cli.runtime.job import ToolJob
from wangp_cli.tasks.rife import Rife
from wangp_cli.tasks.stages import Stage
from wangp_cli.workflows.interpolator import interpolator_of
from wangp_cli.workflows.tool_stream import input_audio, stream_frames, write_result


def interpolate(job: ToolJob) -> Iterator[Stage]:
    """Make the frames in between of a video or of two images."""
    task = job.request.task
    assert isinstance(task, Rife)
    yield "load"
    interpolator = interpolator_of(job, "engine")
    if task.scale is not None:
        interpolator = interpolator.with_scale(task.scale)
    yield "process"
    if task.video:
        write_result(job, _of_video(job, task, interpolator), _audio(job, task))
    else:
        write_result(job, _of_images(job, task, interpolator))


def _of_video(job: ToolJob, task: Rife, interpolator: Interpolator) -> Iterator[Frames]:
    assert task.video is not None
    source = job.request.facts.of_file(task.video)
    frames: Iterator[Frames] = (_coloured(piece) for piece in stream_frames(job, task.video))
    if task.duplicates == "replace":
        frames = replace_duplicates(frames, interpolator)
    return resample(frames, task.step(source.fps), interpolator, hold_cuts=task.hold_cuts)


def _coloured(frames: Frames) -> Frames:
    """The frames with colours; alpha is kept."""
    return frames if frames.shape[3] == 4 else to_rgb(frames)


def _of_images(job: ToolJob, task: Rife, interpolator: Interpolator) -> Iterator[Frames]:
    assert task.image_start is not None
    assert task.image_end is not None
    width, height = job.request.shape.size
    images = [read_image(path) for path in (task.image_start, task.image_end)]
    if not job.request.shape.alpha:
        images = [to_rgb(image) for image in images]
    deepest = np.result_type(*images)
    images = [fit(as_type(image, deepest), width, height) for image in images]
    return resample(images, task.step(None), interpolator, hold_cuts=False)


def _audio(job: ToolJob, task: Rife) -> Audio | None:
    """The audio of the video; in slow motion none."""
    assert task.video is not None
    return None if task.keep_fps else input_audio(job, task.video)
