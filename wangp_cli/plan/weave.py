"""Filling gaps between kept frames, with context on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wangp_cli.catalogue import Grid
from wangp_cli.errors import RequestError
from wangp_cli.plan.model import Kept, Segment, cover


@dataclass(frozen=True, kw_only=True)
class Range:
    """Frames `first` to before `end` of a clip."""

    clip: int
    first: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A place to fill.

    Args:
        frames: new ones.
        context: frames to give the model on either side, where there are so many.
        removed: frames that were there.
        bridging: show the frames at both edges again inside the gap.
        portions: which portions of an edit it is for.
    """

    frames: int
    context: int
    removed: int = 0
    bridging: bool = False
    portions: tuple[int, ...] = ()


def weave(
    ranges: Sequence[Range], gaps: Sequence[Gap], grid: Grid, notices: list[str]
) -> tuple[list[Kept], list[Segment]]:
    """Place ranges and gaps in turn, first a range.

    What the grid asks for beyond gap and context is more context in front; behind, where that is short;
    else frames made in vain. Nothing of this changes the length.

    Args:
        ranges: one more than gaps; the first and the last may be empty. As many as gaps closes a circle:
            what follows the last gap is the first range again.
        gaps: between the ranges.
        grid: of the model.
        notices: gets a sentence for each gap with less context than asked.

    Raises:
        RequestError: a gap has no context at all.
    """
    kept: list[Kept] = []
    segments: list[Segment] = []
    position = 0
    for index, gap in enumerate(gaps):
        here = ranges[index]
        if here.end > here.first:
            kept.append(Kept(clip=here.clip, first=here.first, end=here.end, start=position))
        position += here.end - here.first
        closes = index + 1 == len(ranges)
        after = ranges[0] if closes else ranges[index + 1]
        segment = _fill(index, gap, position, after.end - after.first, grid)
        if closes:
            # The frames behind are those the video begins with: shown before, they cannot be mixed.
            trim = segment.trim + segment.overlap_after
            segment = segment.model_copy(update={"overlap_after": 0, "trim": trim})
        _tell(segment, gap, notices)
        segments.append(segment)
        position += gap.frames
    if len(ranges) > len(gaps) and (last := ranges[-1]).end > last.first:
        kept.append(Kept(clip=last.clip, first=last.first, end=last.end, start=position))
    return kept, segments


def _fill(index: int, gap: Gap, before: int, after: int, grid: Grid) -> Segment:
    """A segment with at most `before` frames of context in front and `after` behind."""
    front, back = min(gap.context, before), min(gap.context, after)
    if front + back == 0:
        raise RequestError("context", f"nothing is kept beside gap {index}, which the model could go by")
    generate = cover(grid, front + gap.frames + back)
    spare = generate - front - gap.frames - back
    more = min(spare, before - front)
    front, spare = front + more, spare - more
    more = min(spare, after - back)
    back, spare = back + more, spare - more
    places = (front + gap.frames // 3, front + 2 * gap.frames // 3)
    return Segment(
        index=index,
        frames=gap.frames,
        generate=generate,
        context=front,
        drop=0,
        overlap=front,
        start=before,
        context_after=back,
        overlap_after=back,
        trim=spare,
        removed=gap.removed,
        bridging=places if gap.bridging and gap.frames >= 3 and before and after else (),
        portions=gap.portions,
    )


def _tell(segment: Segment, gap: Gap, notices: list[str]) -> None:
    for side, frames in (("before", segment.context), ("after", segment.context_after)):
        if frames < gap.context:
            there = f"there {'is' if frames == 1 else 'are'} {frames or 'none'}"
            notices.append(f"context: {gap.context} frames asked {side} gap {segment.index}, {there}")
