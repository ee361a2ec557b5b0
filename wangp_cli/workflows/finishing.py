"""Finishing: what is done to the frames of a result on their way into its file."""

from __future__ import annotations

from dataclasses import replace

from wangp_cli.finishing.grain import add_grain
from wangp_cli.finishing.stream import VideoStream
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.match import adjust
from wangp_cli.media.resize import fit
from wangp_cli.tasks.finishing import Finishing, FrameFinishing


def finish(video: VideoStream, task: Finishing, *, seed: int) -> VideoStream:
    """The video with every step that a task asks for, in the fixed order; itself without any.

    Values are float32 in between, so that they are rounded once, by the encoder. A step may change size, rate
    and number of frames: what it makes of them is known before anything runs, by `finished_size`,
    `finished_rate` and `finished_frames` of the task.

    Args:
        video: before finishing.
        task: names the steps.
        seed: of the film grain.
    """
    if not task.finishing_fields:
        return video
    video = replace(video, frames=map(as_float, video.frames))
    video = _adjust_colours(video, task)
    video = _upsample(video, task)
    return _add_grain(video, task, seed)


def _adjust_colours(video: VideoStream, task: FrameFinishing) -> VideoStream:
    def change(frame: Frames, _: int) -> Frames:
        return adjust(frame, saturation=task.saturation, brightness=task.brightness)

    return video.map(change)


def _upsample(video: VideoStream, task: Finishing) -> VideoStream:
    def change(frame: Frames, _: int) -> Frames:
        width, height = task.finished_size((frame.shape[2], frame.shape[1]))
        return fit(frame, width, height, "stretch")

    return video.map(change)


def _add_grain(video: VideoStream, task: FrameFinishing, seed: int) -> VideoStream:
    def change(frame: Frames, index: int) -> Frames:
        return add_grain(
            frame,
            index,
            seed=seed,
            intensity=task.film_grain_intensity,
            saturation=task.film_grain_saturation,
        )

    return video.map(change)
