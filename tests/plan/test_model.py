"""Plans and their parts."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.plan.join import Bridge, plan_join
from wangp_cli.plan.model import KeptRange, Plan, Segment, broadcast, value_of_unit

WAN = Grid()
FPS = Fraction(16)


def test_a_plan_travels_as_json() -> None:
    plan = plan_join([100, 80], grid=WAN, fps=Fraction(24000, 1001))
    data = plan.model_dump(mode="json")
    assert data["fps"] == "24000/1001"
    assert {name: data[name] for name in ("total", "generate", "gap", "removed", "context")} == {
        "total": 233, "generate": 69, "gap": 53, "removed": 0, "context": 16,
    }  # fmt: skip
    assert {"index", "frames", "generate", "context", "drop", "overlap", "start"} <= data["segments"][
        0
    ].keys()


def test_a_segment_knows_the_places_of_its_frames() -> None:
    segment = Segment(
        index=0, frames=10, generate=21, context=6, drop=2, overlap=4, start=30, context_after=3,
        overlap_after=3, trim=2,
    )  # fmt: skip
    assert (segment.lead, segment.generate_start, segment.new_end) == (6, 24, 16)
    assert segment.changed_range == (26, 43)
    before, after = segment.limit_crossfade(before=1), segment.limit_crossfade(after=0)
    assert (before.drop, before.overlap, before.lead, before.overlap_after) == (5, 1, 6, 3)
    assert (after.overlap_after, after.trim, after.overlap) == (0, 5, 4)
    assert segment.limit_crossfade(before=9, after=9) == segment


def test_neighbours_of_a_segment_are_kept_ranges_on_both_sides() -> None:
    plan = plan_join([20, 30, 40], [Bridge(gap=5, context=2)], grid=WAN, fps=FPS)
    first, second = plan.segments
    clips = [[part and part.clip for part in plan.kept_neighbours(one)] for one in (first, second)]
    assert clips == [[0, 1], [1, 2]]
    loop = plan_join([20, 30], [Bridge(gap=5, context=2)], grid=WAN, fps=FPS, loop=True)
    assert [part and part.clip for part in loop.kept_neighbours(loop.segments[-1])] == [1, 0]
    alone = Plan(total=5, fps=FPS, segments=(Segment(
        index=0, frames=5, generate=5, context=0, drop=0, overlap=0, start=0
    ),))  # fmt: skip
    assert alone.kept_neighbours(alone.segments[0]) == (None, None)


def test_all_windows_of_a_gap_belong_together() -> None:
    bridges = [Bridge(gap=60, context=4), Bridge(gap=5, context=4)]
    plan = plan_join([20, 20, 20], bridges, grid=WAN, fps=FPS, window=33)
    assert len(plan.segments) > 2
    *windows, last = plan.segments
    assert all(plan.gap_windows(one) == windows for one in windows)
    assert plan.gap_windows(last) == [last]
    assert all(isinstance(part, KeptRange) for part in plan.parts[:1])


def test_one_value_serves_all_units_and_other_counts_are_refused() -> None:
    assert broadcast("gap", [3], 3, "join") == [3, 3, 3]
    assert broadcast("gap", [1, 2], 2, "join") == [1, 2]
    assert [value_of_unit([7], 2), value_of_unit([1, 2, 3], 2)] == [7, 3]
    with pytest.raises(RequestError, match="gap: 2 values, wanted 1 or 3, one for each join"):
        broadcast("gap", [1, 2], 3, "join")
