"""Upscale: make a video or image larger, match its colours, add film grain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from wangp_cli.finishing.colour import match_colours
from wangp_cli.finishing.stream import VideoStream
from wangp_cli.finishing.upsample import upsample
from wangp_cli.media.clip import Frames, as_float, as_type
from wangp_cli.media.stills import read_image
from wangp_cli.runtime.job import ToolJob
from wangp_cli.tasks.stages import Stage
from wangp_cli.tasks.upscale import Upscale
from wangp_cli.workflows.finishing import adjust_colours, grain
from wangp_cli.workflows.tool_stream import input_audio, stream_frames, write_result


def run(job: ToolJob) -> Iterator[Stage]:
    """Make the larger video or image."""
    task = job.request.task
    assert isinstance(task, Upscale)
    yield "load"
    upscaler = job.engine("engine")
    yield "process"
    shape = job.request.shape
    source: Iterable[Frames] = stream_frames(job, task.video)
    # Values are rounded once: those of a video by its codec, those of an image to the bits that it has.
    dtype = np.dtype(np.float32)
    if shape.fps is None:
        source = [image] = list(source)
        dtype = image.dtype
    video = VideoStream(frames=map(as_float, source), count=shape.frames, rate=shape.fps or Fraction(1))
    video = match_colours(
        video, start=_image(task.image_start), end=_image(task.image_end), strength=task.colour_match
    )
    video = adjust_colours(video, task)
    video = upsample(video, *shape.size, upscaler)
    video = grain(video, task, task.seed)
    write_result(job, (as_type(frame, dtype) for frame in video.frames), input_audio(job, task.video))


def _image(path: Path | None) -> Frames | None:
    return None if path is None else read_image(path)
