"""Bridges between clips."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plan_checks import check, laid, sentences
from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.plan.join import Bridge, plan_join
from wangp_cli.plan.model import JoinPlan

WAN = Grid()
LTX = Grid(step=8, minimum=17, block=32)


def join(*lengths: int, grid: Grid = WAN, loop: bool = False, **more: Any) -> JoinPlan:
    return plan_join(lengths, [Bridge(**more)], grid=grid, fps=Fraction(16), loop=loop)


@pytest.mark.parametrize(
    ("context", "gap", "made", "front"),
    [
        (8, 53, 69, 8), (8, 52, 69, 9), (8, 50, 69, 11), (8, 49, 65, 8), (3, 1, 9, 5),
        (8, 20, 37, 9), (4, 10, 21, 7), (12, 45, 69, 12), (8, 1, 17, 8), (8, 0, 17, 9),
    ],
)  # fmt: skip
def test_the_gap_is_kept_and_the_rest_of_the_grid_is_context(
    context: int, gap: int, made: int, front: int
) -> None:
    plan = join(100, 80, context=context, gap=gap)
    (segment,) = plan.segments
    assert (segment.generate, segment.frames, segment.context) == (made, gap, front)
    assert (segment.context_after, segment.trim) == (context, 0)
    assert plan.total == 180 + gap
    assert (plan.generate, plan.gap, plan.removed) == (made, gap, 0)
    assert plan.context == made - gap
    check(plan, WAN, [100, 80])


@pytest.mark.parametrize(("lengths", "total"), [((100, 100), 253), ((100, 80), 233)])
def test_an_inserted_bridge_adds_its_gap(lengths: tuple[int, int], total: int) -> None:
    assert join(*lengths).total == total


def test_a_replacing_bridge_keeps_the_length() -> None:
    plan = join(100, 80, replace=True)
    first, last = plan.kept
    assert (first.frames, last.frames) == (74, 53)
    assert plan.segments[0].generate == 69
    assert plan.total == 74 + 69 + 53 - 16 == 180
    assert plan.removed == 53
    assert (last.first, last.start) == (27, 127)
    assert plan.segments[0].changed_range == (66, 135)


def test_what_one_clip_cannot_spare_the_other_does() -> None:
    short_first = join(10, 80, replace=True)
    assert [part.frames for part in short_first.kept] == [1, 36]
    short_last = join(80, 10, replace=True)
    assert [part.frames for part in short_last.kept] == [36, 1]
    assert short_first.total == short_last.total == 90
    check(short_first, WAN, [10, 80])
    check(short_last, WAN, [80, 10])


def test_short_clips_give_the_context_they_have() -> None:
    plan = join(3, 80, gap=49)
    (segment,) = plan.segments
    assert (segment.context, segment.context_after, segment.generate) == (3, 9, 61)
    assert sentences(plan) == ("context: 8 frames asked before gap 0, there are 3",)
    both = join(1, 1, gap=49)
    assert (both.segments[0].generate, both.segments[0].trim, both.total) == (53, 2, 51)
    assert sentences(both)[0] == "context: 8 frames asked before gap 0, there is 1"


def test_the_pictures_at_the_edges_can_stand_in_the_gap_again() -> None:
    assert join(100, 100, bridging=True).segments[0].bridging == (25, 43)
    assert join(100, 100, gap=2, bridging=True).segments[0].bridging == ()
    assert join(100, 100).segments[0].bridging == ()


def test_many_clips_each_have_their_bridge() -> None:
    bridges = [Bridge(gap=13, context=4), Bridge(gap=20, replace=True), Bridge(gap=5)]
    plan = plan_join([40, 2, 40, 30], bridges, grid=WAN, fps=Fraction(24))
    assert [segment.frames for segment in plan.segments] == [13, 20, 5]
    assert [part.frames for part in plan.kept] == [40, 1, 21, 30]
    assert plan.total == 112 + 13 + 5
    assert plan.segments[1].context == 9, "context reaches back into the bridge before"
    check(plan, WAN, [40, 2, 40, 30])


def test_a_loop_bridges_from_the_last_clip_to_the_first() -> None:
    plan = join(40, 30, gap=20, loop=True)
    assert plan.total == 110
    closing = plan.segments[-1]
    assert (closing.start, closing.frames, closing.context_after) == (90, 20, 8)
    assert (closing.overlap_after, closing.trim) == (0, 8)
    check(plan, WAN, [40, 30])
    alone = join(40, gap=21, replace=True, loop=True)
    assert [(part.first, part.end) for part in alone.kept] == [(11, 30)]
    assert alone.total == 40
    check(alone, WAN, [40])


def test_another_grid_keeps_the_gap_too() -> None:
    plan = join(100, 80, gap=53, grid=LTX)
    assert (plan.generate, plan.gap, plan.total) == (73, 53, 233)
    assert join(100, 80, gap=1, context=1, grid=LTX).generate == 17


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lengths": [5]}, "clips: 1 given, wanted 2 or more"),
        ({"lengths": [5, 0]}, "clips: clip 1 has no frames"),
        ({"bridges": [Bridge()] * 3}, "bridges: 3 values, wanted 1 or 2, one for each join"),
        ({"bridges": [Bridge(gap=-1)]}, "gap: -1 in join 0"),
        ({"bridges": [Bridge(context=0)]}, "context: 0 in join 0"),
        (
            {"bridges": [Bridge(replace=True)]},
            "gap: 53 frames to replace in join 0, but its clips can spare 28",
        ),
        ({"lengths": [9], "loop": True, "bridges": [Bridge(gap=9, replace=True)]}, "gap: 9 .* can spare 8"),
    ],
)
def test_what_cannot_be_joined_is_named(arguments: dict[str, Any], message: str) -> None:
    lengths = arguments.pop("lengths", [20, 10, 20])
    said: dict[str, Any] = {"bridges": [Bridge()], "grid": WAN, "fps": Fraction(16)} | arguments
    with pytest.raises(RequestError, match=f"^{message}"):
        plan_join(lengths, **said)


@given(st.data())
def test_every_join_is_what_its_plan_says(data: st.DataObject) -> None:
    grid = data.draw(st.sampled_from([WAN, LTX, Grid(minimum=17)]))
    loop = data.draw(st.booleans())
    lengths = data.draw(st.lists(st.integers(1, 60), min_size=2 - loop, max_size=5))
    count = len(lengths) - 1 + loop
    bridge = st.builds(
        Bridge,
        gap=st.integers(0, 60),
        context=st.integers(1, 20),
        replace=st.booleans(),
        bridging=st.booleans(),
    )
    bridges = data.draw(st.lists(bridge, min_size=count, max_size=count))
    window = data.draw(st.none() | st.integers(1, 40))
    try:
        plan = plan_join(lengths, bridges, grid=grid, fps=Fraction(16), loop=loop, window=window)
    except RequestError as error:
        if error.field == "gap":
            return
        raise
    check(plan, grid, lengths)
    assert plan.total == sum(lengths) + sum(bridge.gap for bridge in bridges if not bridge.replace)
    assert [
        sum(segment.frames for segment in plan.segments if segment.portions == (index,))
        for index in range(count)
    ] == [bridge.gap for bridge in bridges]
    if window is None:
        assert len(plan.segments) == count
    else:
        assert max((s.generate for s in plan.segments), default=0) <= max(grid.minimum, grid.frames(window))
    kept = [owner for owner in laid(plan) if owner[0] == "clip"]
    assert kept == sorted(kept), "frames of the clips stay in order"
    assert {owner[1] for owner in kept} == set(range(len(lengths))), "every clip keeps a frame"
    assert JoinPlan.model_validate_json(plan.model_dump_json()) == plan
