"""Sliding windows."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plan_checks import check, sentences
from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.plan.model import Plan
from wangp_cli.plan.windows import plan_windows, window_count

WAN = Grid()
LTX = Grid(step=8, minimum=17, block=32)


def windows(frames: int, grid: Grid = WAN, **more: Any) -> Plan:
    said: dict[str, Any] = {"window": 81, "overlap": 5, "grid": grid, "fps": Fraction(16)} | more
    return plan_windows(frames, **said)


@pytest.mark.parametrize(
    ("frames", "window", "overlap", "discard", "count"),
    [(81, 81, 5, 0, 1), (82, 81, 5, 0, 2), (157, 81, 5, 0, 2), (158, 81, 5, 0, 3), (161, 81, 5, 4, 3)],
)
def test_windows_are_counted_by_the_formula(
    frames: int, window: int, overlap: int, discard: int, count: int
) -> None:
    assert window_count(frames, window, overlap, discard) == count
    assert len(windows(frames, window=window, overlap=overlap, discard=discard).segments) == count


def test_full_windows_give_the_length_of_the_formula() -> None:
    plan = windows(2 * (81 - 9 - 4) + 81 - 4, overlap=9, discard=4)
    assert [segment.generate for segment in plan.segments] == [81, 81, 81 - 4]
    assert [segment.start for segment in plan.segments] == [0, 77, 145]
    assert [segment.trim for segment in plan.segments] == [4, 4, 0]


def test_windows_share_whole_latent_frames() -> None:
    plan = windows(200, window=80, overlap=8)
    assert [segment.overlap for segment in plan.segments] == [0, 5, 5]
    assert sentences(plan) == (
        "window: 80 became 81, which the model can make",
        "overlap: 8 became 5, whole latent frames",
    )
    assert [segment.overlap for segment in windows(200, LTX, overlap=16).segments] == [0, 9, 9]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 0}, "frames: 0"),
        ({"overlap": 0}, "overlap: 0"),
        ({"discard": -1}, "discard: -1"),
        ({"window": 1}, "window: 1"),
        ({"overlap": 61, "discard": 20}, "overlap: 61 and 20 discarded leave nothing new of a window of 81"),
    ],
)
def test_windows_without_new_frames_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=f"^{message}"):
        windows(**({"frames": 200} | arguments))


@given(
    st.integers(1, 500),
    st.integers(2, 121),
    st.integers(1, 40),
    st.integers(0, 8),
    st.booleans(),
    st.integers(0, 30),
    st.booleans(),
)
def test_windows_make_exactly_the_length(
    frames: int, window: int, overlap: int, discard: int, long_steps: bool, before: int, ends: bool
) -> None:
    grid = LTX if long_steps else WAN
    try:
        plan = windows(
            frames, grid, window=window, overlap=overlap, discard=discard, before=before, ends=ends
        )
    except RequestError as error:
        if error.field == "overlap" or (before and error.field == "frames"):
            return
        raise
    check(plan, grid, [before])
    first, *others = plan.segments
    assert plan.total == before - first.context + frames
    assert (first.overlap, first.drop) == (0, first.context)
    assert 0 <= first.context <= before
    assert {segment.context - segment.drop for segment in others} <= {plan.segments[-1].overlap}
    assert not (ends and others) or plan.segments[-1].trim == 0
    assert all(segment.generate <= max(grid.frames(window), grid.minimum) for segment in plan.segments)
