"""Debug outputs of a planned video: its segments as lossless files, and a visualization."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from wangp_cli.files.atomic import atomic_file
from wangp_cli.media.clip import Clip, Frames, as_float, chunks, single_frames
from wangp_cli.media.read_video import stream_video
from wangp_cli.media.resize import fit
from wangp_cli.media.spool import Shape, Spool, write_spool
from wangp_cli.media.timeline import PANEL_HEIGHT, THUMBNAIL, TimelineContent, TimelineRenderer
from wangp_cli.media.write import write_video
from wangp_cli.pipelines.base import Inputs
from wangp_cli.plan.model import Plan, Segment
from wangp_cli.runtime.job import RenderJob
from wangp_cli.tasks.planned import intermediates_folder
from wangp_cli.workflows.guides import GREY


def write_intermediates(job: RenderJob, segment: Segment, inputs: Inputs, made: Spool, plan: Plan) -> None:
    """Write a segment as the model generated it, and each clip that it was conditioned on, losslessly.

    The files are `segment_000.mkv`, `control_000.mkv`, `mask_000.mkv` and so on, by the names of inputs,
    in the folder RESULT_intermediates. Each is published.
    """
    segments: Iterator[Frames] = (made[at : at + 16] for at in range(0, len(made), 16))
    _write(job, f"segment_{segment.index:03d}", segments, plan.fps)
    write_conditioning(job, inputs, plan.fps, segment.index)


def write_conditioning(job: RenderJob, inputs: Inputs, fps: Fraction, run: int = 0) -> None:
    """Write each clip that a run of the model is conditioned on, as `write_intermediates` does."""
    for name, clip in _clips(inputs):
        _write(job, f"{name}_{run:03d}", chunks(clip.frames), fps)


def _write(job: RenderJob, name: str, pieces: Iterator[Frames], fps: Fraction) -> None:
    file = intermediates_folder(job.request.outputs[0]) / f"{name}.mkv"
    with job.new_file(file, overwrite=True) as partial:
        write_video(partial, pieces, fps=fps, codec="ffv1")
    job.publish(file, "intermediate")


def _clips(inputs: Inputs) -> Iterator[tuple[str, Clip]]:
    for field in dataclasses.fields(inputs):
        value = getattr(inputs, field.name)
        if isinstance(value, Clip):
            yield field.name, value
        elif isinstance(value, tuple):
            yield from ((f"{field.name}_{index}", clip) for index, clip in enumerate(value))


class GuidePreview:
    """The guide of the new frames of a segment, small and on disk until the visualization is drawn.

    Args:
        file: to keep them in.
        segment: of the plan.
        inputs: that the model was conditioned on.
    """

    def __init__(self, file: Path, segment: Segment, inputs: Inputs) -> None:
        clip = next(clip for _, clip in _clips(inputs))
        width, height = clip.size
        small = max(1, round(width * min(1, PANEL_HEIGHT / height))), min(height, PANEL_HEIGHT)
        self._file = file
        self._shape: Shape = (segment.frames, small[1], small[0], 3)
        place = slice(segment.lead, segment.new_end)
        frames = _guide(inputs, segment.generate)[place]
        with atomic_file(file, overwrite=True) as partial:
            pieces = (fit(piece, *small, "stretch") for piece in chunks(frames))
            write_spool(partial, pieces, self._shape, "guide")

    def frames(self) -> Iterator[Frames]:
        """Each frame, `[1, h, w, 3]`."""
        with Spool(self._file, self._shape) as spool:
            yield from (frame[None] for frame in spool)


def _guide(inputs: Inputs, count: int) -> Frames:
    """The control video, or grey between the known frames at both ends."""
    if inputs.control is not None:
        return inputs.control.frames
    first = [clip for clip in (inputs.start, inputs.anchor) if clip is not None]
    ends = [clip.frames for clip in (*first, inputs.end) if clip is not None]
    frames = np.full((count, *ends[0].shape[1:]), GREY, np.float32)
    for clip in first:
        frames[: len(clip)] = as_float(clip.frames)
    if inputs.end is not None:
        frames[count - len(inputs.end) :] = as_float(inputs.end.frames)
    return frames


def timeline_content(plan: Plan, size: tuple[int, int], pictures: Sequence[Frames]) -> TimelineContent:
    """What the timeline of a plan shows, with small copies of its images."""
    width, height = size
    small = max(1, round(THUMBNAIL * width / height)), THUMBNAIL
    thumbnails = (fit(picture, *small, "stretch") for picture in pictures)
    anchors = list(zip(plan.anchors, thumbnails, strict=False))
    made = [(part.start, part.start + part.frames) for part in plan.segments if part.frames]
    return TimelineContent(total=plan.total, fps=plan.fps, size=size, generated=made, anchors=anchors)


def draw_timeline(
    content: TimelineContent, guide: Iterable[Frames], result: Path, every: int = 1
) -> Iterator[Frames]:
    """Draw guide and result side by side over a timeline, for each frame of a video.

    Args:
        content: of the video.
        guide: a frame `[1, H, W, 3]` for each of the video.
        result: the finished video.
        every: frames of it for each of the video; those in between are left out.
    """
    timeline = TimelineRenderer(content)
    frames = (frame[..., :3] for frame in single_frames(stream_video(result)))
    shown = islice(frames, None, None, every)
    for index, (left, right) in enumerate(zip(guide, shown, strict=True)):
        yield timeline.draw(index, left, right)
