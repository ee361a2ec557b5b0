"""Where phases begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.errors import RequestError
from wangp_cli.plan.phases import (
    phase_lengths,
    shift_sigma,
    sigmas_of,
    start_step,
    thresholds_between,
    timesteps_of,
)

SAMPLERS = ("unipc", "euler", "euler_ancestral", "dpm++")


@pytest.mark.parametrize(
    ("steps", "shift", "timesteps"),
    [
        (6, 5, [1000, 952.438, 882.526, 769.674, 556.788, 4.98]),
        (4, 5, [1000, 909.215, 714.897, 4.98]),
        (6, 3, [1000, 923.166, 818.43, 667.222, 429.795, 2.994]),
        (8, 12, [1000, 986.317, 967.786, 941.273, 900.21, 828.085, 668.217, 11.869]),
    ],
)
def test_euler_timesteps_are_those_of_wangp(steps: int, shift: float, timesteps: list[float]) -> None:
    assert timesteps_of("euler", steps, shift) == pytest.approx(timesteps, abs=1e-3)


@pytest.mark.parametrize(
    ("sampler", "steps", "shift", "thresholds", "split"),
    [
        ("unipc", 30, 12, (875,), [19, 11]),
        ("unipc", 30, 5, (900,), [11, 19]),
        ("unipc", 30, 2, (875,), [7, 23]),
        ("unipc", 10, 2, (875,), [3, 7]),
        ("unipc", 4, 3, (876,), [2, 2]),
        ("euler", 4, 3, (876,), [1, 3]),
        ("unipc", 4, 5, (876,), [2, 2]),
        ("euler", 4, 5, (876,), [2, 2]),
        ("euler", 8, 3, (965, 800), [1, 3, 4]),
        ("unipc", 8, 5, (985, 800), [1, 4, 3]),
        ("euler", 8, 5, (985, 800), [1, 3, 4]),
        ("euler", 6, 5, (883, 558), [2, 2, 2]),
        ("unipc", 6, 5, (883, 558), [3, 2, 1]),
        ("euler", 6, 5, (917.48, 663.23), [2, 2, 2]),
        ("euler", 6, 5, (826.1,), [3, 3]),
        ("euler", 6, 5, (), [6]),
        ("euler", 6, 5, (1000,), [0, 6]),
        ("euler", 6, 5, (1,), [6, 0]),
    ],
)
def test_phases_split_where_wangp_splits_them(
    sampler: str, steps: int, shift: float, thresholds: tuple[float, ...], split: list[int]
) -> None:
    assert phase_lengths(timesteps_of(sampler, steps, shift), thresholds) == split


@pytest.mark.parametrize(
    ("sampler", "found"),
    [
        ("euler", [(917.4818, 663.2310), (826.1000,), (961.5828, 548.5082), (920.7415,)]),
        ("unipc", [(935.3988, 774.2541), (871.4128,), (968.7852, 675.5472), (937.8362,)]),
        ("dpm++", [(935.3147, 773.8094), (871.2122,), (968.7500, 675.0000), (937.7289,)]),
    ],
)
def test_thresholds_lie_in_the_middle_between_two_steps(sampler: str, found: list[tuple[float, ...]]) -> None:
    asked = [([2, 2, 2], 5), ([3, 3], 5), ([1, 3, 2], 3), ([4, 4], 12)]
    for (lengths, shift), thresholds in zip(asked, found, strict=True):
        timesteps = timesteps_of(sampler, sum(lengths), shift)
        assert thresholds_between(timesteps, lengths) == pytest.approx(thresholds, abs=2e-4)


@given(
    st.sampled_from(SAMPLERS),
    st.lists(st.integers(0, 12), min_size=2, max_size=3).filter(lambda lengths: sum(lengths) > 0),
    st.floats(0.5, 20),
)
def test_thresholds_between_cut_into_the_lengths_they_were_made_of(
    sampler: str, lengths: list[int], shift: float
) -> None:
    timesteps = timesteps_of(sampler, sum(lengths), shift)
    assert phase_lengths(timesteps, thresholds_between(timesteps, lengths)) == lengths


def test_lengths_of_another_run_are_refused() -> None:
    with pytest.raises(RequestError, match=r"steps_per_phase: \[2, 2\] are not 6 steps"):
        thresholds_between(timesteps_of("euler", 6, 5.0), [2, 2])


def test_a_shift_of_one_changes_nothing() -> None:
    assert [shift_sigma(sigma, 1.0) for sigma in (1.0, 0.3, 0.0)] == [1.0, 0.3, 0.0]


def test_causvid_has_its_own_timesteps_whatever_the_shift() -> None:
    assert timesteps_of("causvid", 4, 1.0) == timesteps_of("causvid", 4, 9.0) == [1000, 934, 862, 756]


@pytest.mark.parametrize(("sampler", "most"), [("causvid", 9), ("lcm", 8)])
def test_samplers_of_distilled_models_have_few_steps(sampler: str, most: int) -> None:
    assert len(sigmas_of(sampler, most, 5.0)) == most
    with pytest.raises(
        RequestError, match=f"steps: {most + 1}, but the sampler {sampler} has at most {most}"
    ):
        sigmas_of(sampler, most + 1, 5.0)


@pytest.mark.parametrize(
    ("steps", "strength", "start"), [(30, 1.0, 0), (30, 0.9, 3), (10, 0.35, 6), (4, 0.5, 2), (4, 0.0, 4)]
)
def test_a_strength_below_one_leaves_out_the_first_steps(steps: int, strength: float, start: int) -> None:
    assert start_step(steps, strength) == start
