"""Frame counts and sizes that a model can generate."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wangp_cli.grid import Grid

WAN = Grid()
GRIDS = [
    WAN,
    Grid(minimum=17),
    Grid(step=8, minimum=9),
    Grid(step=17, offset=5),
    Grid(step=17, offset=5, minimum=50, maximum=200),
    Grid(step=1, offset=0, minimum=1),
    Grid(step=4, offset=0, minimum=4),
]


@pytest.mark.parametrize(
    ("grid", "count", "frames"),
    [
        (WAN, 84, 85),
        (WAN, 83, 81),
        (WAN, 1, 1),
        (WAN, 2, 5),
        (Grid(step=8, minimum=9), 100, 97),
        (Grid(step=8, minimum=9), 104, 105),
        (Grid(step=17, offset=5), 1, 5),
        (Grid(step=17, offset=5), 22, 22),
        (Grid(step=17, offset=5), 84, 73),
        (Grid(step=17, offset=5), 85, 90),
        (Grid(step=17, offset=5, minimum=50), 3, 56),
        (Grid(step=17, offset=5, maximum=100), 900, 90),
        (Grid(minimum=81, maximum=81), 1, 81),
        (Grid(step=1, offset=0), 7, 7),
    ],
)
def test_a_count_is_set_on_the_grid(grid: Grid, count: int, frames: int) -> None:
    assert grid.frames(count) == frames


@given(st.sampled_from(GRIDS), st.integers(min_value=-3, max_value=900))
def test_a_count_on_the_grid_stays(grid: Grid, count: int) -> None:
    frames = grid.frames(count)
    assert grid.frames(frames) == frames
    assert frames == 1 or (frames - grid.offset) % grid.step == 0
    if count < grid.minimum:
        assert frames in (1, grid.frames(grid.minimum), grid.cover(grid.minimum))
    else:
        assert abs(frames - count) < grid.step or frames == grid.frames(10**6)


@given(st.sampled_from(GRIDS), st.integers(min_value=1, max_value=900))
def test_cover_is_the_least_length_that_is_enough(grid: Grid, count: int) -> None:
    covering = grid.cover(count)
    assert covering >= max(count, grid.minimum)
    assert (covering - grid.offset) % grid.step == 0
    assert covering - grid.step < max(count, grid.minimum, grid.offset + grid.step)


@given(st.sampled_from(GRIDS), st.integers(min_value=1, max_value=900))
def test_context_is_the_most_that_can_be_given(grid: Grid, count: int) -> None:
    context = grid.context(count)
    assert 1 <= context <= count
    assert context == 1 or (context - grid.offset) % grid.step == 0
    assert count - context < grid.step or context == 1


def test_a_range_in_seconds_is_one_in_frames_at_a_rate() -> None:
    grid = Grid(step=17, offset=5, minimum_seconds=5, maximum_seconds=15)
    at_24 = grid.at(Fraction(24))
    assert (at_24.frames(1), at_24.frames(10_000)) == (124, 345)
    assert (grid.at(Fraction(8)).frames(1), grid.at(Fraction(8)).frames(10_000)) == (56, 107)
    assert at_24.at(Fraction(24)) == at_24


def test_a_grid_without_seconds_is_the_same_at_every_rate() -> None:
    assert WAN.at(Fraction(30)) is WAN


def test_no_length_in_a_range_is_said() -> None:
    grid = Grid(step=17, offset=5, minimum_seconds=1, maximum_seconds=1.2)
    assert grid.at(Fraction(22)).frames(9) == 22
    with pytest.raises(ValueError, match="17n\\+5"):
        grid.at(Fraction(30))


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": 0},
        {"step": 4, "offset": 5},
        {"step": 17, "offset": 5, "minimum": 23, "maximum": 38},
        {"minimum_seconds": 9, "maximum_seconds": 5},
        {"maximum_seconds": -1},
    ],
)
def test_a_grid_that_no_length_is_on_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Grid.model_validate(wrong)


def test_sides_are_floored_to_the_block() -> None:
    assert Grid(block=32).size(1000, 20) == (992, 32)
