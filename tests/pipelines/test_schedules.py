"""The grids of noise levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wangp_cli.pipelines.schedules import schedule, shift_sigmas, sigmas_of


def test_euler_timesteps_are_those_of_wangp() -> None:
    steps = schedule("euler", 4, 5.0, "cpu")
    linear = np.linspace(1000, 1, 4) / 1000
    assert steps.timesteps.tolist() == pytest.approx(
        (5 * linear / (1 + 4 * linear) * 1000).tolist(), abs=1e-3
    )
    assert steps.sigmas[-1] == 0


@pytest.mark.parametrize("sampler", ["unipc", "euler", "dpm++"])
def test_the_solver_walks_our_sigmas(sampler: Any) -> None:
    steps = schedule(sampler, 6, 5.0, "cpu")
    assert len(steps) == 6
    assert steps.sigmas[:-1].tolist() == pytest.approx(sigmas_of(sampler, 6, 5.0).tolist(), abs=2e-6)
    assert (steps.sigmas.diff() < 0).all()


@pytest.mark.parametrize(
    ("sampler", "steps", "shift", "thresholds", "split"),
    [
        ("unipc", 30, 12, (875,), (19, 11)),
        ("unipc", 30, 5, (900,), (11, 19)),
        ("unipc", 10, 2, (875,), (3, 7)),
        ("unipc", 4, 3, (876,), (2, 2)),
        ("euler", 4, 3, (876,), (1, 3)),
        ("euler", 8, 3, (965, 800), (1, 3, 4)),
        ("unipc", 8, 5, (985, 800), (1, 4, 3)),
        ("euler", 6, 5, (883, 558), (2, 2, 2)),
        ("unipc", 6, 5, (883, 558), (3, 2, 1)),
    ],
)
def test_phases_split_where_wangp_splits_them(
    sampler: Any, steps: int, shift: float, thresholds: tuple[float, ...], split: tuple[int, ...]
) -> None:
    timesteps = schedule(sampler, steps, shift, "cpu").timesteps
    phases = sum((timesteps <= threshold).int() for threshold in thresholds)
    assert np.bincount(np.asarray(phases)).tolist() == list(split)


def test_a_shift_of_one_changes_nothing() -> None:
    sigmas = np.linspace(1, 0.1, 5)
    assert np.array_equal(shift_sigmas(sigmas, 1.0), sigmas)


def test_many_steps_with_equal_timesteps_start_at_the_first() -> None:
    steps: Any = schedule("unipc", 500, 50.0, "cpu")
    assert steps.timesteps[0] == steps.timesteps[1]
    sample = steps.timesteps.new_zeros((1, 1)).float()
    steps.solver.step(sample, steps.timesteps[0], sample, return_dict=False)
    assert steps.solver.step_index == 1
