"""Portions made again, and ranges painted in."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plan_checks import check, laid, sentences
from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.plan.edit import Portion, plan_edit
from wangp_cli.plan.model import JoinPlan

WAN = Grid()
LTX = Grid(step=8, minimum=17, block=32)


def edit(length: int, *portions: tuple[int, int], **more: Any) -> JoinPlan:
    chosen = [Portion(first=first, last=last) for first, last in portions]
    return plan_edit(length, chosen, grid=WAN, fps=Fraction(16), **more)


def keepers(plan: JoinPlan) -> list[tuple[int, int]]:
    return [(part.first, part.end - 1) for part in plan.kept]


@pytest.mark.parametrize(
    ("length", "portions", "plain", "with_ends"),
    [
        (164, [(16, 33), (49, 66)], [(0, 15), (34, 48), (67, 163)], [(0, 16), (33, 49), (66, 163)]),
        (50, [(40, 49)], [(0, 39)], [(0, 40), (49, 49)]),
        (50, [(10, 20), (21, 30)], [(0, 9), (31, 49)], [(0, 10), (20, 21), (30, 49)]),
        (600, [(417, 427)], [(0, 416), (428, 599)], [(0, 417), (427, 599)]),
    ],
)
def test_frames_outside_the_portions_are_kept(
    length: int,
    portions: list[tuple[int, int]],
    plain: list[tuple[int, int]],
    with_ends: list[tuple[int, int]],
) -> None:
    for keep_ends, wanted in ((False, plain), (True, with_ends)):
        plan = edit(length, *portions, keep_ends=keep_ends)
        assert keepers(plan) == wanted
        assert plan.total == length
        assert plan.removed == plan.gap
        check(plan, WAN, [length])


def test_a_portion_too_long_for_a_run_goes_in_windows() -> None:
    plan = edit(300, (50, 249), window=81)
    assert [(s.start, s.frames, s.generate, s.overlap) for s in plan.segments] == [
        (50, 69, 77, 8), (119, 72, 77, 5), (191, 59, 73, 5),
    ]  # fmt: skip
    assert [s.portions for s in plan.segments] == [(0,)] * 3
    assert [s.removed for s in plan.segments] == [69, 72, 59]
    assert (plan.segments[0].context_after, plan.segments[-1].overlap_after) == (0, 8)
    assert plan.total == 300
    check(plan, WAN, [300])


def test_windows_share_what_a_shorter_or_longer_portion_replaces() -> None:
    chosen = [Portion(first=10, last=29, gap=60), Portion(first=50, last=119, gap=20)]
    plan = plan_edit(200, chosen, grid=WAN, fps=Fraction(16), window=33, context=4)
    of = [[s.removed for s in plan.segments if s.portions == (number,)] for number in (0, 1)]
    assert (sum(of[0]), sum(of[1])) == (20, 70)
    assert len(of[0]) > 1
    assert plan.total == 200 - 90 + 80
    check(plan, WAN, [200])


def test_the_tail_is_made_from_what_comes_before() -> None:
    (segment,) = edit(50, (40, 49)).segments
    assert (segment.start, segment.frames, segment.generate) == (40, 10, 21)
    assert (segment.context, segment.context_after) == (11, 0)


def test_the_head_is_made_from_what_follows() -> None:
    plan = edit(50, (0, 9))
    (segment,) = plan.segments
    assert (segment.start, segment.frames, segment.generate) == (0, 10, 21)
    assert (segment.context, segment.context_after) == (0, 11)
    assert keepers(plan) == [(10, 49)]
    assert sentences(plan) == ("context: 8 frames asked before gap 0, there are none",)


def test_portions_that_touch_are_filled_in_one_go() -> None:
    plan = edit(50, (21, 30), (10, 20))
    (segment,) = plan.segments
    assert segment.frames == segment.removed == 21
    assert segment.portions == (1, 0)


def test_a_gap_of_its_own_changes_the_length() -> None:
    portions = [Portion(first=10, last=19, gap=3), Portion(first=30, last=39)]
    plan = plan_edit(50, portions, grid=WAN, fps=Fraction(16))
    assert plan.total == 43
    assert [segment.frames for segment in plan.segments] == [3, 10]
    assert plan.removed == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"portions": []}, "portions: none"),
        ({"portions": [(10, 20), (20, 30)]}, "portions: 10-20 and 20-30 overlap"),
        ({"portions": [(30, 40), (5, 31)]}, "portions: 5-31 and 30-40 overlap"),
        ({"portions": [(40, 50)]}, "portions: 40-50 is not within 0-49"),
        ({"portions": [(9, 8)]}, "portions: 9-8 is not within 0-49"),
        ({"portions": [(-1, 8)]}, "portions: -1-8 is not within 0-49"),
        ({"portions": [(0, 20), (21, 49)]}, "portions: cover all 50 frames"),
        ({"portions": [(4, 5)], "keep_ends": True}, "portions: 4-5 has no frames between its ends"),
        ({"portions": [(4, 5)], "context": 0}, "context: 0"),
    ],
)
def test_what_cannot_be_edited_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=f"^{message}"):
        edit(50, *arguments.pop("portions"), **arguments)


def test_a_gap_below_none_is_refused() -> None:
    with pytest.raises(RequestError, match="portions: 3-9 with a gap of -1"):
        plan_edit(50, [Portion(first=3, last=9, gap=-1)], grid=WAN, fps=Fraction(16))


@given(st.data())
def test_every_edit_is_what_its_plan_says(data: st.DataObject) -> None:
    grid = data.draw(st.sampled_from([WAN, LTX, Grid(minimum=17)]))
    length = data.draw(st.integers(2, 120))
    cuts = sorted(data.draw(st.sets(st.integers(0, length), min_size=2, max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    gap = st.none() | st.integers(0, 40)
    portions = [Portion(first=first, last=end - 1, gap=data.draw(gap)) for first, end in pairs]
    keep_ends = data.draw(st.booleans())
    said = {"context": data.draw(st.integers(1, 20)), "overlap": data.draw(st.integers(1, 20))}
    window = data.draw(st.none() | st.integers(1, 40))
    try:
        plan = plan_edit(
            length, portions, grid=grid, fps=Fraction(16), keep_ends=keep_ends, window=window, **said
        )
    except RequestError as error:
        if error.field == "portions":
            return
        raise
    check(plan, grid, [length])
    ends = 2 * keep_ends
    removed = [portion.last - portion.first + 1 - ends for portion in portions]
    news = [
        gone if portion.gap is None else portion.gap for portion, gone in zip(portions, removed, strict=True)
    ]
    assert plan.removed == sum(removed)
    assert plan.total == length - sum(removed) + sum(news)
    gone = {f for p in portions for f in range(p.first + keep_ends, p.last + 1 - keep_ends)}
    assert [owner[2] for owner in laid(plan) if owner[0] == "clip"] == [
        frame for frame in range(length) if frame not in gone
    ]
    of_gap = {segment.portions for segment in plan.segments}
    assert sorted(i for places in of_gap for i in places) == list(range(len(portions)))
    if window is None:
        assert len(plan.segments) == len(of_gap)
    else:
        assert max(s.generate for s in plan.segments) <= max(grid.minimum, grid.frames(window))
