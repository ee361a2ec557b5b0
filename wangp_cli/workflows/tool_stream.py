"""Frames of input files in, frames of a tool's result out, as streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from wangp_cli.media.audio import fit_frames
from wangp_cli.media.clip import Audio, Frames
from wangp_cli.media.read_audio import audio_of_frames
from wangp_cli.media.read_video import stream_video
from wangp_cli.media.stills import read_image
from wangp_cli.runtime.job import ToolJob
from wangp_cli.workflows.result import ResultWriter


def stream_frames(job: ToolJob, path: Path, *, start: int = 0, count: int | None = None) -> Iterator[Frames]:
    """The frames of an input video or image, in pieces `[t, H, W, C]`, C is 4 where its facts tell of alpha.

    Of a damaged video these are the intact ones before the damage.

    Args:
        job: its request knows the facts of the file.
        path: of an input file.
        start: first frame.
        count: frames; None for all from `start` on.
    """
    facts = job.request.facts.of_file(path)
    if facts.fps is None:
        yield read_image(path)
        return
    if count is None:
        count = facts.frames - start
    for piece in stream_video(path, start=start, count=count, whole=facts.damage is None):
        yield piece if facts.alpha else piece[..., :3]


def input_audio(job: ToolJob, path: Path, *, start: int = 0, count: int | None = None) -> Audio | None:
    """The audio of frames of an input video, exactly as long as they are; None if it has none.

    Args:
        job, path, start, count: as `stream_frames` takes them.
    """
    facts = job.request.facts.of_file(path)
    if facts.fps is None or not facts.audio_codec:
        return None
    if count is None:
        count = facts.frames - start
    return fit_frames(audio_of_frames(path, facts.fps, start, count), count, facts.fps)


def write_result(job: ToolJob, stream: Iterable[Frames], audio: Audio | None = None) -> None:
    """Write and publish the result: a video as the frames come, or an image.

    Args:
        job: its request has the shape of the result.
        stream: exactly the frames of the result, in pieces.
        audio: of a video; it is cut or padded to the length of the frames.
    """
    [path] = job.request.outputs
    writer = ResultWriter(job=job, index=0, path=path)
    reported = report_frames(job, stream)
    if job.request.shape.fps is None:
        # To its end, where a stream completes what it has written itself.
        [image] = reported
        writer.write_image(image)
    else:
        writer.write_video(reported, job.request.shape.frames, audio)


def report_frames(job: ToolJob, stream: Iterable[Frames]) -> Iterator[Frames]:
    """The pieces of a stream; each is reported as progress of `process` once it is there."""
    done, total = 0, job.request.shape.frames
    for piece in stream:
        done += len(piece)
        job.progress("process", min(done, total), total)
        yield piece
