"""Plans of inpainting a range of a video."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plan_checks import check, laid, sentences
from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.plan.inpaint import plan_inpaint
from wangp_cli.plan.model import JoinPlan

WAN = Grid()
LTX = Grid(step=8, minimum=17, block=32)


def inpaint(length: int, start: int, end: int, grid: Grid = WAN, **more: Any) -> JoinPlan:
    return plan_inpaint(length, start, end, grid=grid, fps=Fraction(16), **more)


def test_a_range_is_painted_into_the_whole_video() -> None:
    plan = inpaint(100, 30, 50)
    (segment,) = plan.segments
    assert [(part.first, part.end) for part in plan.kept] == [(0, 30), (50, 100)]
    assert (plan.total, plan.gap, plan.generate, plan.context) == (100, 20, 37, 17)
    # What the grid asks for is context; all of it is drawn in vain, so nothing beside the range changes.
    assert (segment.context, segment.context_after, segment.changed_range) == (9, 8, (30, 50))


def test_what_is_too_long_for_a_run_goes_in_windows_of_about_one_length() -> None:
    plan = inpaint(200, 0, 200, longest=81)
    assert [(s.start, s.frames, s.generate, s.overlap) for s in plan.segments] == [
        (0, 73, 73, 0), (73, 64, 69, 5), (137, 63, 69, 5),
    ]  # fmt: skip


def test_less_context_than_asked_is_told() -> None:
    assert sentences(inpaint(100, 30, 97)) == ("context: 8 frames asked after the portion, there are 3",)
    assert sentences(inpaint(100, 0, 97, context=1)) == (
        "context: 1 frame asked before the portion, there are none",
    )


def test_context_never_fills_more_than_a_quarter_of_a_window() -> None:
    plan = inpaint(100, 20, 60, longest=17, context=12, overlap=2)
    assert [s.generate for s in plan.segments] == [17, 13, 13, 13]
    assert (plan.segments[0].context, plan.segments[-1].context_after) == (4, 4)
    assert sentences(plan) == ("context: 12 became 4, a quarter of a window of 17",)
    # One window has room for all of it.
    assert inpaint(100, 20, 60, longest=81, context=12).segments[0].context == 13


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-1, 9, "portion: -1-8 is not within 0-99"),
        (5, 101, "portion: 5-100 is not within 0-99"),
        (9, 9, "portion: 9-8 is"),
    ],
)
def test_a_range_outside_the_video_is_named(start: int, end: int, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        inpaint(100, start, end)


@pytest.mark.parametrize("field", ["context", "overlap"])
def test_numbers_below_one_are_named(field: str) -> None:
    with pytest.raises(RequestError, match=f"{field}: 0, must be 1 or more"):
        inpaint(100, 5, 9, WAN, **{field: 0})


@given(st.data())
def test_every_window_lies_in_its_range_and_fits_a_run(data: st.DataObject) -> None:
    grid = data.draw(st.sampled_from([WAN, LTX, Grid(minimum=17)]))
    length = data.draw(st.integers(1, 300))
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    longest = data.draw(st.none() | st.integers(1, 90))
    context, overlap = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 30))
    plan = inpaint(length, start, end, grid, longest=longest, context=context, overlap=overlap)
    check(plan, grid, [length])
    assert plan.total == length
    clip = [index for index, owner in enumerate(laid(plan)) if owner[0] == "clip"]
    assert clip == [*range(start), *range(end, length)]
    assert all(start <= s.changed_range[0] < s.changed_range[1] <= end for s in plan.segments)
    if longest is not None:
        assert max(s.generate for s in plan.segments) <= max(grid.minimum, grid.frames(longest))
