"""Inpaint: frames or a region of a video painted anew, spliced back into it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.audio import fit_frames
from wangp_cli.media.clip import Audio, Clip, Frames, as_float, chunks
from wangp_cli.media.facts import probe
from wangp_cli.media.mask import expand, feathered, threshold
from wangp_cli.media.match import Match, changed, colours, matching
from wangp_cli.media.read import read_audio
from wangp_cli.media.resize import fit, fit_mask
from wangp_cli.media.spool import Spool
from wangp_cli.media.stills import read_image
from wangp_cli.pipelines.base import Inputs, Stage
from wangp_cli.plan import Plan, Segment, frame_count_at_fps, resample_frame_indices
from wangp_cli.runtime.job import Job
from wangp_cli.tasks.inpaint import Inpaint
from wangp_cli.workflows.guides import GREY, KEEP, PAINT, KnownFrames
from wangp_cli.workflows.planned import Assembly, write
from wangp_cli.workflows.source_video import frames_at

Shares = NDArray[np.float32]
"""`[T, H, W, 1]` in [0, 1]: 0 is the video as it was, 1 is new."""


def run(job: Job) -> Iterator[Stage]:
    """Make the video, announced when it is durable.

    Yields:
        one stage: later windows need the frames of earlier ones, so they cannot wait for other tasks.
    """
    yield "encode"
    write(job, _Painting(job))


class _Painting(Assembly):
    """The windows of a portion; output frame i is frame i of the video."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        task = job.request.task
        assert isinstance(task, Inpaint)
        self._sounds = task.sound == "keep"
        portion = task.range_of(self._plan.total, self._plan.fps)
        self._mask = _Mask(task, self._plan, portion, self._size)
        self._region = task.mask is not None

    def sound(self) -> Audio | None:
        """That of the video, silent in the portion if it is to be."""
        path, facts = self._videos[0]
        if not self._sounds or not facts.audio_codec:
            return super().sound()
        return fit_frames(read_audio(path), self._plan.total, self._plan.fps)

    def _shown(self, segment: Segment, known: KnownFrames) -> Inputs:
        """The video with grey where the model paints, and the mask of that."""
        video, mask = self._around(segment, known)
        video[mask[..., 0] == PAINT] = GREY
        fps = self._plan.fps
        return Inputs(control=Clip(frames=video, fps=fps), mask=Clip(frames=mask, fps=fps))

    def _initial(self, segment: Segment, known: KnownFrames) -> Clip:
        """The video as it is."""
        return Clip(frames=self._around(segment, known)[0], fps=self._plan.fps)

    def _around(
        self, segment: Segment, known: KnownFrames
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The video of a window with its context, and the mask over what is to be painted."""
        width, height = self._canvas
        video = np.empty((segment.generate, height, width, 3), np.float32)
        mask = np.full((segment.generate, height, width, 1), KEEP, np.float32)
        at = segment.lead
        if known.context is not None:
            video[:at] = as_float(known.context)
        for source, shares in self._sources(segment.start, segment.generate_start + segment.generate):
            place = slice(at, at + len(source))
            video[place] = self._fit_canvas(source)
            mask[place] = fit_mask((shares > 0).astype(np.float32) * PAINT, width, height, "stretch")
            at += len(source)
        # The end of the video is held to the end of the run.
        video[at:], mask[at:] = video[at - 1], mask[at - 1]
        return video, mask

    def _finished(
        self, made: Spool, segment: Segment, known: KnownFrames, inputs: Inputs
    ) -> Iterator[Frames]:
        """The frames of a range, or those of the video with a region of the model's."""
        if not self._region:
            yield from super()._finished(made, segment, known, inputs)
            return
        change = self._drift(made, inputs)
        at = 0
        for source, shares in self._sources(
            segment.generate_start, segment.generate_start + segment.generate
        ):
            new = self._fitted(as_float(made[at : at + len(source)]), change)
            old = as_float(source)
            yield old * (1 - shares) + new * shares
            at += len(source)
        for piece in chunks(made[at:]):
            yield self._fitted(as_float(piece), change)

    def _fitted(self, frames: Frames, change: Match | None) -> Frames:
        """Frames of the model in the colours and at the size of the video."""
        strength = np.full(len(frames), self._task.colour_match)
        matched = changed(frames, [(change, strength)]) if change else frames
        return as_float(fit(matched, *self._size, "stretch"))

    def _drift(self, made: Spool, inputs: Inputs) -> Match | None:
        """What gives the model's frames the colours of the video, by the pixels it only drew again."""
        assert inputs.control is not None
        assert inputs.mask is not None
        where = inputs.mask.frames[..., 0] == KEEP
        if self._task.colour_match == 0 or not where.any():
            return None
        return matching(colours(made, where), colours(inputs.control.frames, where))

    def _sources(self, first: int, end: int) -> Iterator[tuple[Frames, Shares]]:
        """Frames of the video up to its end, in pieces, each with the shares of new ones in its pixels."""
        for piece in self._clip(0, first, min(end, self._plan.total)):
            yield piece, self._mask.shares(range(first, first + len(piece)))
            first += len(piece)


class _Mask:
    """How much of each pixel is new, in every frame of a video.

    Args:
        task: names a mask, or everything in its portion is new.
        plan: of the video.
        portion: its frames that may change.
        size: of the video, width and height.
    """

    def __init__(self, task: Inpaint, plan: Plan, portion: range, size: tuple[int, int]) -> None:
        self._task, self._portion, self._size = task, portion, size
        self._still = np.ones((1, size[1], size[0], 1), np.float32)
        self._numbers: list[int] = []
        if task.image_mask:
            self._still = self._edged(read_image(task.image_mask))
        if task.video_mask:
            facts = probe(task.video_mask)
            rate = facts.fps or plan.fps
            length = frame_count_at_fps(facts.frames, rate, plan.fps)
            before = 0 if length == plan.total else portion.start
            self._numbers = [0] * before + resample_frame_indices(
                facts.frames, rate, length, plan.fps, "hold"
            )

    def shares(self, numbers: range) -> Shares:
        """Of the frames with these numbers: float32 `[t, H, W, 1]` in [0, 1]."""
        inside = np.array([number in self._portion for number in numbers], np.float32)
        if not (self._task.video_mask and inside.any()):
            return self._still * inside[:, None, None, None]
        last = len(self._numbers) - 1
        places = [self._numbers[min(number, last)] for number in numbers]
        masks = np.concatenate(list(frames_at(self._task.video_mask, places)))
        return self._edged(masks) * inside[:, None, None, None]

    def _edged(self, mask: Frames) -> Shares:
        """At the size of the video, grown and feathered."""
        fitted = fit_mask(threshold(mask), *self._size, "stretch")
        return feathered(expand(fitted, self._task.mask_expand), self._task.mask_feather)
