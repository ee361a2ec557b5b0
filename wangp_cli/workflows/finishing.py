"""Finishing: what is done to the frames of a result on their way into its file."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from wangp_cli.finishing.grain import add_grain
from wangp_cli.finishing.stream import VideoStream
from wangp_cli.finishing.upsample import upsample
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.match import adjust
from wangp_cli.motion.resample import resample
from wangp_cli.runtime.job import RenderJob
from wangp_cli.tasks.finishing import FrameFinishing
from wangp_cli.workflows.interpolator import interpolator_of


def finish(video: VideoStream, job: RenderJob, *, seed: int) -> VideoStream:
    """The video with every step that its task asks for, in the fixed order; itself without any.

    Values are float32 in between, so that they are rounded once, by the encoder. A step may change size, rate
    and number of frames: what it makes of them is known before anything runs, by `finished_size`,
    `finished_rate` and `finished_frames` of the task.

    Args:
        video: before finishing.
        job: its task names the steps.
        seed: of the film grain.
    """
    task = job.request.task
    if not task.finishing_fields:
        return video
    video = replace(video, frames=map(as_float, video.frames))
    video = adjust_colours(video, task)
    if task.interpolation > 1:
        video = _interpolate(video, job)
    if task.upsampling:
        video = _upsample(video, job)
    return grain(video, task, seed)


def adjust_colours(video: VideoStream, task: FrameFinishing) -> VideoStream:
    """The video with the saturation and the brightness of a task."""

    def change(frame: Frames, _: int) -> Frames:
        return adjust(frame, saturation=task.saturation, brightness=task.brightness)

    return video.map(change)


def grain(video: VideoStream, task: FrameFinishing, seed: int) -> VideoStream:
    """The video with the film grain of a task."""

    def change(frame: Frames, index: int) -> Frames:
        return add_grain(
            frame,
            index,
            seed=seed,
            intensity=task.film_grain_intensity,
            saturation=task.film_grain_saturation,
        )

    return video.map(change)


def _interpolate(video: VideoStream, job: RenderJob) -> VideoStream:
    task = job.request.task
    frames = resample(video.frames, Fraction(1, task.interpolation), interpolator_of(job, "interpolator"))
    made = VideoStream(
        frames=frames, count=task.finished_frames(video.count), rate=task.finished_rate(video.rate)
    )
    return made.map(lambda frame, index: _reported(job, frame, index, made.count))


def _upsample(video: VideoStream, job: RenderJob) -> VideoStream:
    upscaler = job.engine("upscaler")
    if upscaler is not None:
        video = video.map(lambda frame, index: _reported(job, frame, index, video.count))
    return upsample(video, *job.request.task.finished_size(job.request.size), upscaler)


def _reported(job: RenderJob, frame: Frames, index: int, count: int) -> Frames:
    # A network may take minutes for a frame: the user sees which one, and may stop it.
    job.progress("write", index, count)
    return frame
