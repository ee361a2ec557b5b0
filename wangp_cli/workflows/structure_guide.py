"""The control videos of a planned video, placed on its timeline and preprocessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float, to_rgb
from wangp_cli.media.resize import fit
from wangp_cli.plan.model import Plan, Segment
from wangp_cli.runtime.job import RenderJob
from wangp_cli.tasks.planned import Fit
from wangp_cli.tasks.structure import StructureOptions
from wangp_cli.workflows.control_pictures import GuidePictures
from wangp_cli.workflows.guides import GREY
from wangp_cli.workflows.source_video import frames_at

_Source: TypeAlias = Callable[[range], Iterator[Frames]]
"""Gives RGB `[t, H, W, 3]`, in pieces, for some places of the range of a guide."""


class StructureGuide:
    """Control frames of the segments of a plan; only those of one segment are in memory.

    Args:
        job: its task names the control videos.
        task: the same.
        plan: places them.
        size: width and height in pixels.
        framing: how videos of another aspect ratio are fitted.
    """

    def __init__(
        self, job: RenderJob, task: StructureOptions, plan: Plan, size: tuple[int, int], framing: Fit
    ) -> None:
        self._task, self._size, self._framing = task, size, framing
        self._guides = []
        for guide in plan.guides:
            path = task.video_guide[guide.video]
            facts = job.request.facts.of_file(path)
            indices = guide.frame_indices(facts.frames, facts.fps or plan.fps, plan.fps)
            self._guides.append((guide, self._source(job, path, indices)))

    def _source(self, job: RenderJob, path: Path, indices: list[int]) -> _Source:
        """Reads the frames or control pictures of a guide, by the places of its range."""
        runs = list(_split_non_decreasing(indices))
        if self._task.guide_kind == "raw":
            return lambda places: self._fitted(path, [indices[place] for place in places])
        # A looped video is the same once more.
        pictures = GuidePictures(job, path.name, len(runs[0]), lambda: self._fitted(path, runs[0]))
        return lambda places: (
            pictures[run[0] : run[-1] + 1]
            for run in _split_non_decreasing([place % len(pictures) for place in places])
        )

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
        for guide, read in active:
            begin, stop = max(first, guide.start), min(end, guide.end)
            at = begin - first
            for piece in read(range(begin - guide.start, stop - guide.start)):
                strength = np.float32(self._task.guide_strength)
                frames[at : at + len(piece)] = GREY + (as_float(piece) - GREY) * strength
                at += len(piece)
        return frames

    def _fitted(self, path: Path, indices: list[int]) -> Iterator[Frames]:
        """RGB frames of a video by index, at the size of the result."""
        for run in _split_non_decreasing(indices):
            for piece in frames_at(path, run):
                yield fit(to_rgb(piece), *self._size, self._framing)


def _split_non_decreasing(indices: list[int]) -> Iterator[list[int]]:
    """Split indices into non-decreasing runs: a looped video begins again."""
    run: list[int] = []
    for index in indices:
        if run and index < run[-1]:
            yield run
            run = []
        run.append(index)
    yield run
