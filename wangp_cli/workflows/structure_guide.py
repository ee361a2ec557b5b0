"""The control videos of a planned video, placed on its timeline and preprocessed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float, to_rgb
from wangp_cli.media.resize import fit
from wangp_cli.plan.model import Plan, Segment
from wangp_cli.preprocess.canny import canny
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.tasks.planned import Fit
from wangp_cli.tasks.structure import StructureOptions
from wangp_cli.workflows.guides import GREY
from wangp_cli.workflows.source_video import frames_at


class StructureGuide:
    """Control frames of the segments of a plan; only those of one segment are in memory.

    Args:
        task: names the control videos.
        plan: places them.
        inputs: facts of the videos.
        size: width and height in pixels.
        framing: how videos of another aspect ratio are fitted.
    """

    def __init__(
        self, task: StructureOptions, plan: Plan, inputs: InputFacts, size: tuple[int, int], framing: Fit
    ) -> None:
        self._task = task
        self._size = size
        self._framing = framing
        self._guides = []
        for guide in plan.guides:
            facts = inputs.of_file(task.video_guide[guide.video])
            indices = guide.frame_indices(facts.frames, facts.fps or plan.fps, plan.fps)
            self._guides.append((guide, indices))

    def frames_for(self, segment: Segment) -> NDArray[np.float32] | None:
        """The control frames of a segment, float32 `[segment.generate, H, W, 3]`; None if it has none.

        Frame j of the segment is output frame `segment.generate_start + j`; 0.5 is unknown.
        """
        first, end = segment.generate_start, segment.generate_start + segment.generate
        active = [pair for pair in self._guides if pair[0].start < end and first < pair[0].end]
        if not active:
            return None
        width, height = self._size
        frames = np.full((segment.generate, height, width, 3), GREY, np.float32)
        for guide, indices in active:
            begin, stop = max(first, guide.start), min(end, guide.end)
            at = begin - first
            for piece in self._preprocessed_frames(
                guide.video, indices[begin - guide.start : stop - guide.start]
            ):
                frames[at : at + len(piece)] = piece
                at += len(piece)
        return frames

    def _preprocessed_frames(self, video: int, indices: list[int]) -> Iterator[NDArray[np.float32]]:
        for run in _split_non_decreasing(indices):
            for piece in frames_at(self._task.video_guide[video], run):
                frames: Frames = as_float(fit(to_rgb(piece), *self._size, self._framing))
                if self._task.guide_kind == "canny":
                    frames = canny(frames)
                yield GREY + (as_float(frames) - GREY) * np.float32(self._task.guide_strength)


def _split_non_decreasing(indices: list[int]) -> Iterator[list[int]]:
    """Split indices into non-decreasing runs: a looped video begins again."""
    run: list[int] = []
    for index in indices:
        if run and index < run[-1]:
            yield run
            run = []
        run.append(index)
    yield run
