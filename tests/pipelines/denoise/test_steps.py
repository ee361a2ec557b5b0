"""Positions of steps in a run."""

from __future__ import annotations

import pytest
import torch

from wangp_cli.pipelines.denoise.steps import Step


def step(index: int, steps: int = 4) -> Step:
    return Step(
        index=index,
        steps=steps,
        phase=0,
        phase_index=index,
        phase_steps=steps,
        expert=0,
        timestep=torch.tensor(500.0),
        guidance_scale=1.0,
    )


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        ((0.0, 1.0), [0, 1, 2, 3]),
        ((0.25, 0.75), [1, 2]),
        ((0.3, 1.0), [2, 3]),
        ((0.5, 0.5), []),
    ],
)
def test_a_window_has_the_steps_from_its_start_to_before_its_end(
    window: tuple[float, float], inside: list[int]
) -> None:
    assert [index for index in range(4) if step(index).within(window)] == inside
