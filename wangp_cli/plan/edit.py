"""Plan the edit of a video: portions of it are generated again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.fill import Gap, RunLimits
from wangp_cli.plan.interleave import ClipRange, interleave_segments
from wangp_cli.plan.join import sum_join_plan
from wangp_cli.plan.model import JoinPlan
from wangp_cli.traits import Entry


class Portion(Entry):
    """Frames `first` to `last`, both included.

    Args:
        first: counted from 0.
        last: at least `first`.
        gap: new frames in their place; None for as many as are removed.
    """

    first: int
    last: int
    gap: int | None = None

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def plan_edit(
    length: int,
    portions: Sequence[Portion],
    *,
    grid: Grid,
    fps: Fraction,
    context: int = 8,
    keep_ends: bool = False,
    window: int | None = None,
    overlap: int = 5,
) -> JoinPlan:
    """Plan new frames for portions of a video.

    Portions that touch are generated together. A portion at the start or the end of the video has context on
    one side only.

    Args:
        length: frames of the video.
        portions: in any order.
        grid: of the model.
        fps: of the video.
        context: frames before and after each portion that the model is conditioned on.
        keep_ends: leave the first and the last frame of each portion as they are.
        window: most frames of one run of the model; a longer gap is generated in several windows.
        overlap: frames that windows share.

    Raises:
        RequestError: portions overlap, lie outside the video, or cover all of it.
    """
    if context < 1:
        raise RequestError("context", f"{context}, must be 1 or more")
    ordered = _check_and_sort(length, portions, keep_ends)
    ranges: list[ClipRange] = []
    gaps: list[Gap] = []
    cursor = 0
    for index in ordered:
        portion = portions[index]
        first, last = portion.first, portion.last
        if keep_ends:
            first, last = first + 1, last - 1
        removed = last - first + 1
        frames = removed if portion.gap is None else portion.gap
        if gaps and first == cursor:
            earlier = gaps.pop()
            frames, removed = earlier.frames + frames, earlier.removed + removed
            indices = (*earlier.portions, index)
        else:
            ranges.append(ClipRange(clip=0, first=cursor, end=first))
            indices = (index,)
        # A crossfade would mix the ends, which are the context next to the gap.
        gap = Gap(frames=frames, context=context, removed=removed, crossfade=not keep_ends, portions=indices)
        gaps.append(gap)
        cursor = last + 1
    ranges.append(ClipRange(clip=0, first=cursor, end=length))
    if not any(part.end > part.first for part in ranges):
        raise RequestError("portions", f"cover all {length} frames, so no frames are left as context")
    notices: list[Notice] = []
    runs = RunLimits(grid=grid, longest=window, overlap=overlap).on_grid(notices)
    kept, segments = interleave_segments(ranges, gaps, runs, notices)
    return sum_join_plan(kept, segments, fps, notices)


def _check_and_sort(length: int, portions: Sequence[Portion], keep_ends: bool) -> list[int]:
    """Indices of the portions in the order of the video."""
    if not portions:
        raise RequestError("portions", "none, wanted 1 or more")
    for portion in portions:
        if portion.first < 0 or portion.last < portion.first or portion.last >= length:
            raise RequestError("portions", f"{portion} is not within 0-{length - 1}")
        if keep_ends and portion.last - portion.first < 2:
            raise RequestError("portions", f"{portion} has no frames between its ends, which are kept")
        if portion.gap is not None and portion.gap < 0:
            raise RequestError("portions", f"{portion} with a gap of {portion.gap}, must be 0 or more")
    ordered = sorted(range(len(portions)), key=lambda index: portions[index].first)
    for left, right in itertools.pairwise(ordered):
        if portions[right].first <= portions[left].last:
            raise RequestError("portions", f"{portions[left]} and {portions[right]} overlap")
    return ordered
