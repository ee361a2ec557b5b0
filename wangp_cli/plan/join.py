"""Plan the join of clips by generated frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.fill import Gap, RunLimits
from wangp_cli.plan.interleave import ClipRange, interleave_segments
from wangp_cli.plan.model import JoinPlan, KeptRange, Segment, broadcast
from wangp_cli.traits import Entry


class Bridge(Entry):
    """The generated frames between two clips.

    Args:
        gap: new frames.
        context: frames of each clip that the model is conditioned on.
        replace: remove as many frames of the clips as are new, so that the length stays.
        bridging: place the last frame before the gap and the first after it inside the gap once more.
    """

    gap: int = 53
    context: int = 8
    replace: bool = False
    bridging: bool = False


def plan_join(
    lengths: Sequence[int],
    bridges: Sequence[Bridge] = (),
    *,
    grid: Grid,
    fps: Fraction,
    loop: bool = False,
    window: int | None = None,
    overlap: int = 5,
) -> JoinPlan:
    """Plan bridges between clips.

    The length of a gap is exact. Frames that the model's grid needs beyond it are context, never length: the
    result has the frames of all clips, and those of each gap that replaces none. Context before a gap may
    include frames of an earlier bridge.

    Args:
        lengths: frames of each clip.
        bridges: one for each join, or one for all; the default where there is none.
        grid: of the model.
        fps: of the output.
        loop: one more bridge from the last clip back to the first.
        window: most frames of one run of the model; a longer gap is generated in several windows.
        overlap: frames that windows share.

    Raises:
        RequestError: too few clips, or a gap that replaces more than the clips have.
    """
    if len(lengths) < (fewest := 1 if loop else 2):
        raise RequestError("clips", f"{len(lengths)} given, wanted {fewest} or more")
    for index, length in enumerate(lengths):
        if length < 1:
            raise RequestError("clips", f"clip {index} has no frames")
    pairs = [(i, i + 1) for i in range(len(lengths) - 1)] + ([(len(lengths) - 1, 0)] if loop else [])
    chosen = broadcast("bridges", bridges or (Bridge(),), len(pairs), "join")
    ends = _kept_ranges(lengths, pairs, chosen)
    ranges = [ClipRange(clip=i, first=first, end=end) for i, (first, end) in enumerate(ends)]
    gaps = [
        Gap(
            frames=bridge.gap,
            context=bridge.context,
            removed=bridge.gap if bridge.replace else 0,
            bridging=bridge.bridging,
            portions=(index,),
        )
        for index, bridge in enumerate(chosen)
    ]
    notices: list[Notice] = []
    runs = RunLimits(grid=grid, longest=window, overlap=overlap).on_grid(notices)
    kept, segments = interleave_segments(ranges, gaps, runs, notices)
    return sum_join_plan(kept, segments, fps, notices)


def sum_join_plan(
    kept: list[KeptRange], segments: list[Segment], fps: Fraction, notices: list[Notice]
) -> JoinPlan:
    """A plan with the sums of its parts."""
    gap = sum(segment.frames for segment in segments)
    return JoinPlan(
        total=sum(part.frames for part in kept) + gap,
        fps=fps,
        segments=tuple(segments),
        kept=tuple(kept),
        notices=tuple(notices),
        generate=sum(segment.generate for segment in segments),
        gap=gap,
        removed=sum(segment.removed for segment in segments),
        context=sum(segment.context + segment.context_after for segment in segments),
    )


def _kept_ranges(
    lengths: Sequence[int], pairs: list[tuple[int, int]], bridges: list[Bridge]
) -> list[tuple[int, int]]:
    """The kept range of each clip, first frame and end; at least one frame."""
    first, end = [0] * len(lengths), list(lengths)
    for index, ((left, right), bridge) in enumerate(zip(pairs, bridges, strict=True)):
        _check(bridge, index)
        if not bridge.replace:
            continue
        room_left = end[left] - first[left] - 1
        room_right = 0 if left == right else end[right] - first[right] - 1
        if bridge.gap > room_left + room_right:
            raise RequestError(
                "gap",
                f"{bridge.gap} frames to replace in join {index}, but its clips can spare "
                f"{room_left + room_right}",
            )
        if left == right:
            room_right = room_left
        from_left = min(bridge.gap // 2, room_left)
        from_right = min(bridge.gap - from_left, room_right)
        end[left] -= bridge.gap - from_right
        first[right] += from_right
    return list(zip(first, end, strict=True))


def _check(bridge: Bridge, index: int) -> None:
    if bridge.gap < 0:
        raise RequestError("gap", f"{bridge.gap} in join {index}, must be 0 or more")
    if bridge.context < 1:
        raise RequestError("context", f"{bridge.context} in join {index}, must be 1 or more")
