"""Inpaint: generate frames or a region of a video, and splice them back into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.audio import fit_frames
from wangp_cli.media.clip import Audio, Clip, Frames, as_float, chunks
from wangp_cli.media.mask import expand, feather, threshold
from wangp_cli.media.match import ColourTransfer, apply_transfers, compare_redrawn
from wangp_cli.media.resize import fit, fit_mask
from wangp_cli.media.spool import Spool
from wangp_cli.media.stills import read_image
from wangp_cli.pipelines.base import Inputs
from wangp_cli.plan.model import Plan, Segment
from wangp_cli.plan.timeline import ClipLength
from wangp_cli.runtime.job import RenderJob
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.tasks.inpaint import Inpaint
from wangp_cli.tasks.stages import Stage
from wangp_cli.workflows.guides import GREY, KEEP, PAINT, KnownFrames
from wangp_cli.workflows.planned import GuidedSegments, write_planned
from wangp_cli.workflows.source_clips import SourceClips
from wangp_cli.workflows.source_video import frames_at

Shares = NDArray[np.float32]
"""`[T, H, W, 1]` in [0, 1]: 0 is a pixel of the video, 1 a generated one."""


def run(job: RenderJob) -> Iterator[Stage]:
    """Make the inpainted video.

    Yields:
        one stage: later windows need the frames of earlier ones, so they cannot wait for other tasks.
    """
    yield "encode"
    write_planned(job, InpaintedSegments)


class InpaintedSegments:
    """The windows of a portion, conditioned on the video and a mask; output frame i is its frame i."""

    def __init__(self, job: RenderJob, clips: SourceClips) -> None:
        task = job.request.task
        assert isinstance(task, Inpaint)
        self._task: Inpaint = task
        self._clips, self._plan = clips, clips.plan
        portion = task.range_of(self._plan.total, self._plan.fps)
        self._mask = _Mask(task, job.request.facts, self._plan, portion, clips.size)
        self._whole_frames = GuidedSegments(job, clips)
        self.audio_given = task.sound == "keep" and clips.has_audio(0)

    def inputs(self, segment: Segment, known: KnownFrames) -> Inputs:
        """The video with grey where the model paints, and the mask of that."""
        video, mask = self._conditioning(segment, known)
        video[mask[..., 0] == PAINT] = GREY
        fps = self._plan.fps
        return Inputs(control=Clip(frames=video, fps=fps), mask=Clip(frames=mask, fps=fps))

    def initial(self, segment: Segment, known: KnownFrames) -> Clip:
        """The unchanged video."""
        return Clip(frames=self._conditioning(segment, known)[0], fps=self._plan.fps)

    def finish(self, made: Spool, segment: Segment, known: KnownFrames, inputs: Inputs) -> Iterator[Frames]:
        """The generated frames; with a mask, those of the video with a generated region."""
        if self._task.mask is None:
            yield from self._whole_frames.finish(made, segment, known, inputs)
            return
        change = self._colour_change(made, inputs)
        at = 0
        for source, shares in self._sources(
            segment.generate_start, segment.generate_start + segment.generate
        ):
            new = self._match_and_fit(as_float(made[at : at + len(source)]), change)
            old = as_float(source)
            yield old * (1 - shares) + new * shares
            at += len(source)
        for piece in chunks(made[at:]):
            yield self._match_and_fit(as_float(piece), change)

    def audio(self, generated: Mapping[int, Audio]) -> Audio | None:
        """The audio of the video, or what takes its place in the portion."""
        original = self._clips.audio(0) if self.audio_given else None
        if original is None:
            return self._whole_frames.audio(generated)
        return fit_frames(original, self._plan.total, self._plan.fps)

    def _conditioning(
        self, segment: Segment, known: KnownFrames
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Video and mask of a window: float32 `[segment.generate, H, W, C]`, C is 3 and 1."""
        width, height = self._clips.canvas
        video = np.empty((segment.generate, height, width, 3), np.float32)
        mask = np.full((segment.generate, height, width, 1), KEEP, np.float32)
        at = segment.lead
        if known.context is not None:
            video[:at] = as_float(known.context)
        for source, shares in self._sources(segment.start, segment.generate_start + segment.generate):
            place = slice(at, at + len(source))
            video[place] = self._clips.fit_canvas(source)
            mask[place] = fit_mask((shares > 0).astype(np.float32) * PAINT, width, height, "stretch")
            at += len(source)
        # Behind the end of the video its last frame is repeated.
        video[at:], mask[at:] = video[at - 1], mask[at - 1]
        return video, mask

    def _match_and_fit(self, frames: Frames, change: ColourTransfer | None) -> Frames:
        """Generated frames in the colours and at the size of the video."""
        strength = np.full(len(frames), self._task.colour_match)
        matched = apply_transfers(frames, [(change, strength)]) if change else frames
        return as_float(fit(matched, *self._clips.size, "stretch"))

    def _colour_change(self, made: Spool, inputs: Inputs) -> ColourTransfer | None:
        """The change from generated colours to those of the video, by the pixels outside the mask."""
        assert inputs.control is not None
        assert inputs.mask is not None
        where = inputs.mask.frames[..., 0] == KEEP
        if self._task.colour_match == 0 or not where.any():
            return None
        return compare_redrawn(made, inputs.control.frames, where).change

    def _sources(self, first: int, end: int) -> Iterator[tuple[Frames, Shares]]:
        """Frames of the video up to its end, in pieces, each with the share of new ones in its pixels."""
        for piece in self._clips.frames(0, first, min(end, self._plan.total)):
            yield piece, self._mask.shares(range(first, first + len(piece)))
            first += len(piece)


class _Mask:
    """The share of generated pixels in every frame of a video.

    Args:
        task: names a mask; without one everything in the portion is generated.
        plan: of the video.
        portion: the frames that may change.
        size: of the video, width and height.
    """

    def __init__(
        self, task: Inpaint, inputs: InputFacts, plan: Plan, portion: range, size: tuple[int, int]
    ) -> None:
        self._task, self._portion, self._size = task, portion, size
        self._still = np.ones((1, size[1], size[0], 1), np.float32)
        self._indices: list[int] = []
        if task.image_mask:
            self._still = self._fit(read_image(task.image_mask))
        if task.video_mask:
            length = inputs.length_of(task.video_mask).beside(
                inputs.length_of(task.video), ClipLength(len(portion), plan.fps)
            )
            frames = length.at(plan.fps)
            before = 0 if frames == plan.total else portion.start
            self._indices = [0] * before + length.indices(frames, plan.fps)

    def shares(self, indices: range) -> Shares:
        """The shares of some frames: float32 `[t, H, W, 1]` in [0, 1]."""
        inside = np.array([index in self._portion for index in indices], np.float32)
        if not (self._task.video_mask and inside.any()):
            return self._still * inside[:, None, None, None]
        last = len(self._indices) - 1
        places = [self._indices[min(index, last)] for index in indices]
        masks = np.concatenate(list(frames_at(self._task.video_mask, places)))
        return self._fit(masks) * inside[:, None, None, None]

    def _fit(self, mask: Frames) -> Shares:
        """A mask at the size of the video, expanded and feathered."""
        fitted = fit_mask(threshold(mask), *self._size, "stretch")
        return feather(expand(fitted, self._task.mask_expand), self._task.mask_feather)
