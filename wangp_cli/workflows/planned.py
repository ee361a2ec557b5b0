"""Planned videos: given frames and runs of the model, put together by one plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import overload

import numpy as np

from wangp_cli.media.clip import Audio, Clip, Frames, as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.match import adjust
from wangp_cli.media.read import read_audio, read_image
from wangp_cli.media.resize import fit, match_length
from wangp_cli.media.spool import Spool
from wangp_cli.pipelines.base import Inputs, Stage
from wangp_cli.plan import KeptRange, Plan, Segment, frame_count_at_fps, stretch_frame_indices
from wangp_cli.runtime.job import Job
from wangp_cli.tasks.adjustments import UNADJUSTED, AdjustmentOptions
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.planned import Fit, Planned
from wangp_cli.tasks.structure import StructureOptions
from wangp_cli.workflows.debug_outputs import Shown, drawn, story_of, write_intermediates
from wangp_cli.workflows.guides import KnownFrames, anchored, ends, fit_image, guide
from wangp_cli.workflows.result import ResultWriter
from wangp_cli.workflows.seams import match_segment_colours, stitch
from wangp_cli.workflows.segment_runs import Segments
from wangp_cli.workflows.soundtrack import sound_of
from wangp_cli.workflows.source_video import clip_frames
from wangp_cli.workflows.structure_guide import StructureGuide


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
    with assembly.segments:
        result = ResultWriter(job=job, index=0, path=path)
        result.write_video(assembly.frames(), job.request.frames, assembly.sound())
        if (drawing := assembly.drawing(path)) is not None:
            result.write_visualization(drawing, job.request.frames)


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
        self._pictures = _Pictures(task.pictures, self._canvas, task.framing)
        self._structure: StructureGuide | None = None
        if isinstance(task, StructureOptions) and plan.guides:
            self._structure = StructureGuide(task, plan, self._canvas, task.framing)
        self._shown_to: dict[int, Shown] = {}
        self.segments = Segments(job, job.request.outputs[0])

    def frames(self) -> Iterator[Frames]:
        """All of the video, as a stream."""
        return stitch(self._plan, self._keep, self._make, sharpen=self._task.sharpen)

    def sound(self) -> Audio | None:
        """Its sound."""
        if self._task.soundtrack:
            return read_audio(self._task.soundtrack)
        clips = [
            (read_audio(path) if facts.audio_codec else None, self._length(number))
            for number, (path, facts) in enumerate(self._videos)
        ]
        return sound_of(self._plan, clips, self._task.span_sound)

    def _keep(self, part: KeptRange) -> Iterator[Frames]:
        return self._clip(part.clip, part.first, part.end)

    def _make(self, segment: Segment, context: Frames | None) -> Iterator[Frames]:
        job = self._job
        context, after = (
            None if frames is None else self._fit_canvas(frames) for frames in (context, self._after(segment))
        )
        motion = self._structure.frames_for(segment) if self._structure else None
        known = KnownFrames(pictures=self._pictures, context=context, after=after, motion=motion)
        inputs = self._shown(segment, known)
        shot = self._task.shot(segment)
        if not shot.control_always:
            # Only a control video may rest: what is known is known in every step.
            fallback_control = self._shown(segment, replace(known, motion=None)).control
            inputs = replace(inputs, fallback_control=fallback_control)
        if shot.denoising_strength < 1:
            inputs = replace(inputs, initial=self._initial(segment, known))
        job.progress.begin(segment.index + 1)
        loras = job.loras(shot, self._task.lora_strengths(segment))
        with self.segments.take(segment, shot, inputs, loras) as made:
            self._tell(segment, inputs, made)
            yield from self._finished(made, segment, known, inputs)

    def _tell(self, segment: Segment, inputs: Inputs, made: Spool) -> None:
        """Keep what is to be shown of a segment."""
        if self._task.keep_intermediates:
            write_intermediates(self._job, segment, inputs, made, self._plan)
        if self._task.visualize:
            file = self.segments.scratch(f"guide_{segment.index:03d}.npy")
            self._shown_to[segment.index] = Shown(file, segment, inputs)

    def drawing(self, result: Path) -> Iterator[Frames] | None:
        """The picture of how the finished result came about, if it is wanted."""
        if not self._task.visualize:
            return None
        guide = (frame for part in self._plan.parts for frame in self._shown_for(part))
        return drawn(story_of(self._plan, self._size, self._pictures), guide, result)

    def _shown_for(self, part: KeptRange | Segment) -> Iterator[Frames]:
        if isinstance(part, Segment):
            return self._shown_to[part.index].frames()
        return (piece[at : at + 1] for piece in self._keep(part) for at in range(len(piece)))

    def _shown(self, segment: Segment, known: KnownFrames) -> Inputs:
        """What the model is given for a segment."""
        spec = self._job.request.spec
        if segment.anchor is not None:
            return anchored(segment, known, self._plan.fps)
        if "control" in spec.accepts:
            look = self._task.control_adjustments if isinstance(self._task, AdjustmentOptions) else UNADJUSTED
            return guide(segment, known, self._canvas, look).inputs(self._plan.fps)
        return ends(segment, known, self._plan.fps, spec.grid)

    def _initial(self, segment: Segment, known: KnownFrames) -> Clip:
        """The frames that a segment replaces, and their context."""
        new = list(self._replaced(segment))
        around = (None if frames is None else as_float(frames) for frames in (known.context, known.after))
        before, behind = ([] if frames is None else [frames] for frames in around)
        shown = np.concatenate([*before, *new, *behind])
        return Clip(frames=match_length(shown, segment.generate, "hold"), fps=self._plan.fps)

    def _replaced(self, segment: Segment) -> Iterator[Frames]:
        """The frames for which a segment stands, one for each new one, at the size the model works at."""
        before, behind = self._plan.kept_neighbours(segment)
        if before and behind and before.clip == behind.clip and before.end <= behind.first:
            spans = [(before.clip, before.end, behind.first)]
        else:
            spans = [(before.clip, before.end, self._length(before.clip))] if before else []
            spans += [(behind.clip, 0, behind.first)] if behind else []
        there = [(span, frame) for span in spans for frame in range(*span[1:])]
        if not there:
            return
        windows = self._plan.gap_windows(segment)
        numbers = stretch_frame_indices(len(there), sum(window.frames for window in windows))
        first = segment.start - windows[0].start
        own = [there[number] for number in numbers[first : first + segment.frames]]
        for (clip, *_), places in groupby(own, key=itemgetter(0)):
            frames = [frame for _, frame in places]
            pieces = [self._fit_canvas(piece) for piece in self._clip(clip, frames[0], frames[-1] + 1)]
            yield np.concatenate(pieces)[[frame - frames[0] for frame in frames]]

    def _length(self, number: int) -> int:
        """Frames of a clip, counted at the plan's rate."""
        _, facts = self._videos[number]
        return frame_count_at_fps(facts.frames, facts.fps or self._plan.fps, self._plan.fps)

    def _fit_canvas(self, frames: Frames) -> Frames:
        """Frames of the video at the size the model works at."""
        return as_float(fit(frames, *self._canvas, "stretch"))

    def _finished(
        self,
        made: Spool,
        segment: Segment,
        known: KnownFrames,
        inputs: Inputs,  # noqa: ARG002 - masks are in them
    ) -> Iterator[Frames]:
        """The frames a model made, as they go into the video."""
        task = self._task
        for piece in match_segment_colours(made, segment, known, task.colour_match):
            graded = piece
            if isinstance(task, AdjustmentOptions) and segment.start:
                graded = adjust(piece, saturation=task.part_saturation, brightness=task.part_brightness)
            yield fit(graded, *self._size, "stretch")

    def _after(self, segment: Segment) -> Frames | None:
        """The frames that follow a segment; behind one that closes a circle, those of the beginning."""
        if not segment.context_after:
            return None
        end = segment.start + segment.frames
        part = next((part for part in self._plan.kept if part.start >= end), self._plan.kept[0])
        return np.concatenate(list(self._clip(part.clip, part.first, part.first + segment.context_after)))

    def _clip(self, number: int, first: int, end: int) -> Iterator[Frames]:
        """Frames `first` to before `end` of a clip, counted at the plan's rate, at the plan's size."""
        return clip_frames(*self._videos[number], first, end, self._plan.fps, self._size, self._task.framing)


class _Pictures(Sequence[Frames]):
    """Pictures at the size of the video, read when they are asked for; the last two stay."""

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], framing: Fit) -> None:
        self._paths = paths
        self._read = lru_cache(maxsize=2)(lambda path: fit_image(read_image(path), *size, framing))

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, place: int) -> Frames: ...
    @overload
    def __getitem__(self, place: slice) -> list[Frames]: ...
    def __getitem__(self, place: int | slice) -> Frames | list[Frames]:
        if isinstance(place, slice):
            return [self._read(path) for path in self._paths[place]]
        return self._read(self._paths[place])
