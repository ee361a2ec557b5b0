"""Interleave kept ranges of clips and the segments that fill the gaps between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice
from wangp_cli.plan.fill import Gap, RunLimits, fill_gap, notice_short_context
from wangp_cli.plan.model import KeptRange, Segment


@dataclass(frozen=True, kw_only=True)
class ClipRange:
    """Frames `first` to before `end` of a clip."""

    clip: int
    first: int
    end: int


def interleave_segments(
    ranges: Sequence[ClipRange], gaps: Sequence[Gap], runs: RunLimits, notices: list[Notice]
) -> tuple[list[KeptRange], list[Segment]]:
    """Place ranges and gaps in turn, first a range. The limits of runs never change the length of the output.

    Args:
        ranges: one more than gaps; the first and the last may be empty. As many as gaps makes a loop: the
            first range follows the last gap.
        gaps: between the ranges.
        runs: limits of the model.
        notices: gets a sentence for each gap with less context than requested.

    Raises:
        RequestError: a gap has no context at all.
    """
    kept: list[KeptRange] = []
    segments: list[Segment] = []
    position = 0
    for index, gap in enumerate(gaps):
        kept_range = ranges[index]
        if kept_range.end > kept_range.first:
            kept.append(
                KeptRange(clip=kept_range.clip, first=kept_range.first, end=kept_range.end, start=position)
            )
        position += kept_range.end - kept_range.first
        closes = index + 1 == len(ranges)
        after = ranges[0] if closes else ranges[index + 1]
        behind = after.end - after.first
        if position + behind == 0:
            raise RequestError("context", f"no frames are kept next to gap {index} as context")
        windows = fill_gap(gap, position, position, behind, runs, notices)
        # Context may reach beyond the kept range, into frames that are settled.
        windows[0] = windows[0].limit_crossfade(before=kept_range.end - kept_range.first)
        if closes:
            # The frames after it are the first of the video, already written: no crossfade with them.
            windows[-1] = windows[-1].limit_crossfade(after=0)
        if gap.bridging:
            windows = _with_bridging(index, gap, windows, notices)
        notice_short_context(f"gap {index}", gap.context, position, behind, notices)
        segments += [
            window.model_copy(update={"index": len(segments) + place}) for place, window in enumerate(windows)
        ]
        position += gap.frames
    if len(ranges) > len(gaps) and (last := ranges[-1]).end > last.first:
        kept.append(KeptRange(clip=last.clip, first=last.first, end=last.end, start=position))
    return kept, segments


def _with_bridging(index: int, gap: Gap, windows: list[Segment], notices: list[Notice]) -> list[Segment]:
    """The window with the frames at both edges placed inside it, if there is room."""
    if len(windows) > 1:
        notices.append(
            Notice(
                field="bridging",
                text=f"gap {index} is made in {len(windows)} runs, and none is conditioned on both edges",
            )
        )
        return windows
    (window,) = windows
    if gap.frames < 3 or not (window.context and window.context_after):
        why = "no frames on one side" if gap.frames >= 3 else f"{gap.frames} frames, wanted 3 or more"
        notices.append(Notice(field="bridging", text=f"not used, gap {index} has {why}"))
        return windows
    places = tuple(window.lead + gap.frames * third // 3 for third in (1, 2))
    return [window.model_copy(update={"bridging": places})]
