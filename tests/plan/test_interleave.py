"""Kept ranges of clips and the gaps between them."""

from __future__ import annotations

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.fill import Gap, RunLimits
from wangp_cli.plan.interleave import ClipRange, interleave_segments

RUNS = RunLimits(grid=Grid())


def clip(number: int, frames: int) -> ClipRange:
    return ClipRange(clip=number, first=0, end=frames)


def test_ranges_and_gaps_take_turns() -> None:
    gaps = [Gap(frames=5, context=2), Gap(frames=7, context=2)]
    kept, segments = interleave_segments([clip(0, 10), clip(1, 20), clip(2, 30)], gaps, RUNS, [])
    assert [(part.clip, part.start) for part in kept] == [(0, 0), (1, 15), (2, 42)]
    assert [(part.index, part.start, part.frames) for part in segments] == [(0, 10, 5), (1, 35, 7)]


def test_the_last_gap_of_a_loop_is_not_crossfaded_with_the_beginning() -> None:
    kept, [segment] = interleave_segments([clip(0, 20)], [Gap(frames=5, context=2)], RUNS, [])
    assert [part.start for part in kept] == [0]
    assert (segment.context_after, segment.overlap_after) == (2, 0)
    assert segment.overlap > 0


def test_edges_are_placed_in_a_gap_that_has_room_for_them() -> None:
    notices: list[Notice] = []
    ranges = [clip(0, 20), clip(1, 20)]
    _, [wide] = interleave_segments(ranges, [Gap(frames=6, context=2, bridging=True)], RUNS, notices)
    assert wide.bridging == (wide.lead + 2, wide.lead + 4)
    _, [tight] = interleave_segments(ranges, [Gap(frames=2, context=2, bridging=True)], RUNS, notices)
    assert tight.bridging == ()
    assert "bridging: not used, gap 0 has 2 frames, wanted 3 or more" in map(str, notices)
    runs = RunLimits(grid=Grid(), longest=17)
    _, windows = interleave_segments(ranges, [Gap(frames=40, context=2, bridging=True)], runs, notices)
    assert not any(window.bridging for window in windows)
    assert any(str(notice).startswith("bridging: gap 0") for notice in notices)


def test_short_context_is_told_and_none_at_all_is_refused() -> None:
    notices: list[Notice] = []
    interleave_segments([clip(0, 1), clip(1, 20)], [Gap(frames=5, context=2)], RUNS, notices)
    assert "context: 2 frames asked before gap 0, there is 1" in map(str, notices)
    with pytest.raises(RequestError, match="context: no frames are kept next to gap 0"):
        interleave_segments([clip(0, 0), clip(0, 0)], [Gap(frames=5, context=2)], RUNS, notices)
