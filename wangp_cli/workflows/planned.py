"""Planned videos: given frames and runs of the model, put together by one plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from wangp_cli.media.clip import Audio, Frames, as_float, chunks
from wangp_cli.media.facts import probe
from wangp_cli.media.read import read_audio, read_image, stream_video
from wangp_cli.media.resize import fit
from wangp_cli.pipelines.base import Inputs, Stage
from wangp_cli.pipelines.placement import choose
from wangp_cli.plan import Kept, Plan, Segment, clipped, reached
from wangp_cli.runtime.job import Job
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.planned import Planned
from wangp_cli.workflows.guides import Known, ends, fit_picture, guide
from wangp_cli.workflows.result import Result
from wangp_cli.workflows.seams import match_seams, stitch
from wangp_cli.workflows.sound import sound_of


def run(job: Job) -> Iterator[Stage]:
    """Make the video, announced when it is durable.

    Yields:
        one stage: later segments need the frames of earlier ones, so they cannot wait for other tasks.
    """
    yield "encode"
    write(job, Assembly(job))


def write(job: Job, assembly: Assembly) -> None:
    """Make the parts of a plan and the file, announced when it is durable."""
    (path,) = job.request.outputs
    result = Result(job=job, index=0, path=path)
    job.emit(result.write_video(assembly.frames(), job.request.frames, assembly.sound()))


class Assembly:
    """The parts of one plan."""

    def __init__(self, job: Job) -> None:
        task, plan = job.request.task, job.request.plan
        assert isinstance(task, Planned)
        assert plan is not None
        self._job = job
        self._task: Planned = task
        self._plan: Plan = plan
        self._canvas = size_of(task.size)
        self._size = job.request.size
        self._videos = [(path, probe(path)) for path in task.videos]
        self._pictures = [
            fit_picture(read_image(path), *self._canvas, task.framing) for path in task.pictures
        ]

    def frames(self) -> Iterator[Frames]:
        """All of the video, as a stream."""
        return stitch(self._plan, self._keep, self._make, sharpen=self._task.sharpen)

    def sound(self) -> Audio | None:
        """Its sound."""
        if self._task.soundtrack:
            return read_audio(self._task.soundtrack)
        clips = [
            (
                read_audio(path) if facts.audio_codec else None,
                reached(facts.frames, facts.fps or self._plan.fps, self._plan.fps),
            )
            for path, facts in self._videos
        ]
        return sound_of(self._plan, clips, self._task.span_sound)

    def _keep(self, part: Kept) -> Iterator[Frames]:
        return self._clip(part.clip, part.first, part.end)

    def _make(self, segment: Segment, context: Frames | None) -> Iterable[Frames]:
        job = self._job
        context, after = (
            None if frames is None else fit(frames, *self._canvas, "stretch")
            for frames in (context, self._after(segment))
        )
        known = Known(pictures=self._pictures, context=context, after=after)
        inputs = self._shown(segment, known)
        shot = self._task.shot(segment, len(self._plan.segments))
        job.meter.begin(segment.index + 1)
        pipeline = job.pipeline(choose(self._task), wear=True)
        conditioning = pipeline.encode(shot, inputs, job.meter)
        latents = pipeline.denoise(shot, conditioning, job.meter)
        made = np.concatenate(list(map(as_float, pipeline.decode(latents, job.meter))))
        return self._finished(made, segment, known, inputs)

    def _shown(self, segment: Segment, known: Known) -> Inputs:
        """What the model is given for a segment."""
        spec = self._job.request.spec
        if "control" in spec.accepts:
            return guide(segment, known, self._canvas).inputs(self._plan.fps)
        return ends(segment, known, self._plan.fps, spec.grid)

    def _finished(self, made: Frames, segment: Segment, known: Known, inputs: Inputs) -> Iterable[Frames]:  # noqa: ARG002 - masks are in them
        """The frames a model made, as they go into the video."""
        matched = match_seams(made, segment, known, self._task.colour_match)
        return (fit(piece, *self._size, "stretch") for piece in chunks(matched))

    def _after(self, segment: Segment) -> Frames | None:
        """The frames that follow a segment; behind one that closes a circle, those of the beginning."""
        if not segment.context_after:
            return None
        end = segment.start + segment.frames
        part = next((part for part in self._plan.kept if part.start >= end), self._plan.kept[0])
        return np.concatenate(list(self._clip(part.clip, part.first, part.first + segment.context_after)))

    def _clip(self, number: int, first: int, end: int) -> Iterator[Frames]:
        """Frames `first` to before `end` of a clip, counted at the plan's rate, at the plan's size."""
        path, facts = self._videos[number]
        numbers = list(range(first, end))
        if facts.fps is not None and facts.fps != self._plan.fps:
            numbers = clipped(facts.frames, facts.fps, end, self._plan.fps, "hold")[first:]
        for piece in picked(path, numbers):
            yield fit(_rgb(piece), *self._size, self._task.framing)


def picked(path: Path, numbers: Sequence[int]) -> Iterator[Frames]:
    """Frames of a video by their numbers, which never fall, in pieces."""
    position = numbers[0]
    for piece in stream_video(path, start=position, count=numbers[-1] + 1 - position):
        own = [number - position for number in numbers if position <= number < position + len(piece)]
        position += len(piece)
        if own:
            yield piece[own]


def _rgb(frames: Frames) -> Frames:
    if frames.shape[3] == 4:
        pixels = as_float(frames)
        return pixels[..., :3] * pixels[..., 3:]
    return np.repeat(frames, 3, axis=3) if frames.shape[3] == 1 else frames
