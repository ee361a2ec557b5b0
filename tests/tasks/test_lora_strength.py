"""How strong LoRAs are: the grammar, phases and steps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.tasks.lora_strength import Strength, refuse_decimal_comma, with_points

NUMBERS = st.floats(-10, 10, allow_nan=False).map(lambda number: number + 0.0)


@dataclass(frozen=True)
class Now:
    """A step of a run."""

    index: int
    steps: int
    phase: int
    phase_index: int
    phase_steps: int


def run(*phases: int) -> list[Now]:
    """Every step of a run whose phases have so many steps."""
    steps = sum(phases)
    inside = chain.from_iterable(
        [(phase, index, count) for index in range(count)] for phase, count in enumerate(phases)
    )
    return [Now(at, steps, *place) for at, place in enumerate(inside)]


def strengths(text: str, *phases: int, switch: int = 1) -> list[float]:
    fitted = Strength.parse(text).in_phases(len(phases), switch)
    return [fitted.at(now) for now in run(*phases)]


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=4), min_size=1, max_size=3))
def test_what_is_written_is_read_again(phases: list[list[float]]) -> None:
    strength = Strength(tuple(map(tuple, phases)))
    assert Strength.parse(str(strength)) == strength


@pytest.mark.parametrize(
    ("text", "phases", "switch", "expected"),
    [
        ("0.5", (3,), 1, [0.5] * 3),
        ("0.5", (1, 3, 4), 2, [0.5] * 8),
        ("1.0", (2, 2), 1, [1, 1, 1, 1]),
        ("1.0;0.5", (2, 2), 1, [1, 1, 0.5, 0.5]),
        ("1;", (1, 1), 1, [1, 0]),
        (";0.8", (1, 1), 1, [0, 0.8]),
        ("1.2;0.6;0.0", (2, 2, 2), 2, [1.2, 1.2, 0.6, 0.6, 0, 0]),
        # Two values on three phases follow the experts.
        ("1;0", (2, 2, 2), 2, [1, 1, 1, 1, 0, 0]),
        ("1;0", (2, 2, 2), 1, [1, 1, 0, 0, 0, 0]),
        # Lists are spread over the steps of the run, or of their phase.
        ("1,0.5,0.25", (6,), 1, [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ("0.8,1.2", (1, 5), 1, [0.8, 0.8, 0.8, 1.2, 1.2, 1.2]),
        ("1,0.5,0.25;0.5", (3, 3), 1, [1, 0.5, 0.25, 0.5, 0.5, 0.5]),
        ("1,2,3", (2,), 1, [1, 2]),
        ("0.9,0.5", (5,), 1, [0.9, 0.9, 0.9, 0.5, 0.5]),
    ],
)
def test_strengths_follow_phases_and_steps(
    text: str, phases: tuple[int, ...], switch: int, expected: list[float]
) -> None:
    assert strengths(text, *phases, switch=switch) == expected


@pytest.mark.parametrize(("text", "phases"), [("1;0", 1), ("1;2;3", 2), ("1;2;3;4", 3)])
def test_more_phases_than_the_run_has_are_refused(text: str, phases: int) -> None:
    with pytest.raises(ValueError, match=f"the run has {phases}"):
        Strength.parse(text).in_phases(phases)


@pytest.mark.parametrize("text", ["", " ", "a", "1;x", "1,,2", "nan", "1;inf", "1_0", "0:1", "1 2"])
def test_what_is_no_strength_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is|could not"):
        Strength.parse(text)


@pytest.mark.parametrize("text", ["0,9", "1,5", "-0,5", "0,75", "1,0", "1;0,5", "0,9;1"])
def test_a_decimal_comma_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"has a decimal comma: write -?\d\.\d+, or"):
        refuse_decimal_comma(text)
    again = with_points(text)
    refuse_decimal_comma(again)
    assert Strength.parse(again) == Strength.parse(text)


@pytest.mark.parametrize("text", ["0.9", "1;0", "0.9,0.5", "1,0,0", "1.0,0", "1.2;0,1", "1;0.5,1", ""])
def test_other_strengths_have_no_decimal_comma(text: str) -> None:
    refuse_decimal_comma(text)
    assert with_points(text) == text


@given(st.lists(st.lists(st.integers(-3, 9).map(float), min_size=1, max_size=3), min_size=1, max_size=3))
def test_a_written_strength_is_read_as_the_same(phases: list[list[float]]) -> None:
    strength = Strength(tuple(map(tuple, phases)))
    refuse_decimal_comma(str(strength))
    assert Strength.parse(str(strength)) == strength
