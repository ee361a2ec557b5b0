"""Preprocess: control pictures of a video or image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wangp_cli.media.clip import Frames, to_rgb
from wangp_cli.media.resize import fit
from wangp_cli.preprocess.kinds import control_pictures, needs_whole_clip
from wangp_cli.runtime.job import ToolJob
from wangp_cli.tasks.preprocess import Preprocess
from wangp_cli.tasks.stages import Stage
from wangp_cli.workflows.control_pictures import report_consumed, settings_of
from wangp_cli.workflows.source_video import clip_frames
from wangp_cli.workflows.tool_stream import input_audio, stream_frames, write_result


def run(job: ToolJob) -> Iterator[Stage]:
    """Write and publish the pictures; a video keeps its audio.

    Yields:
        the stage that comes next.
    """
    task = job.request.task
    assert isinstance(task, Preprocess)
    yield "load"
    network = job.engine("engine")
    yield "process"
    frames, settings = _frames(job, task.video), settings_of(task)
    if needs_whole_clip(task.kind, settings):
        frames = report_consumed(job, "analyse", frames, job.request.shape.frames)
    pictures = control_pictures(task.kind, frames, settings, network, job.session.scratch.folder())
    write_result(job, pictures, input_audio(job, task.video))


def _frames(job: ToolJob, path: Path) -> Iterator[Frames]:
    """RGB frames at the size and the rate of the result."""
    task, shape = job.request.task, job.request.shape
    assert isinstance(task, Preprocess)
    if shape.fps is not None:
        facts = job.request.facts.of_file(path)
        yield from clip_frames(path, facts, 0, shape.frames, shape.fps, shape.size, task.fit)
        return
    for frames in stream_frames(job, path):
        yield fit(to_rgb(frames), *shape.size, task.fit)
