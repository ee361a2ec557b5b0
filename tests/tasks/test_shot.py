"""The fields of one run of a model."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.plan.phases import sigmas_of
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.shot import LEAST_FLOW_SHIFT, Phases, Sampling, Shot, shot_of

THREE: dict[str, Any] = {"guidance_phases": 3, "switch_threshold": 900, "switch_threshold2": 500}


@pytest.mark.parametrize(("switch", "experts"), [(1, [0, 1, 1]), (2, [0, 0, 1])])
def test_each_phase_has_its_transformer(switch: int, experts: list[int]) -> None:
    phases = Phases(**THREE, model_switch_phase=switch)
    assert [phases.expert_of(phase) for phase in range(3)] == experts
    assert phases.thresholds == [900, 500]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"guidance_phases": 2}, "switch_threshold: is needed for 2 phases"),
        (THREE | {"switch_threshold2": 900}, "switch_threshold2: 900.0 must be below"),
    ],
)
def test_phases_without_a_beginning_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Phases(**values)


def test_the_steps_of_all_phases_are_those_of_the_run() -> None:
    spans = Sampling(**THREE, steps=12).phase_spans
    assert [first for first, _ in spans] == [0, spans[0][1], spans[0][1] + spans[1][1]]
    assert sum(length for _, length in spans) == 12


def test_a_negative_prompt_needs_guidance_or_nag() -> None:
    assert Sampling(guidance_scale=1, guidance_phases=1).uses_negative_prompt is False
    assert Sampling(guidance_scale=1, nag_scale=2).uses_negative_prompt
    assert Sampling(guidance_scale=1.5).uses_negative_prompt


def test_a_shot_has_the_values_of_its_task_and_the_changes() -> None:
    task = Generate(model="m", prompt="a fox", steps=7)
    shot = shot_of(task, frames=33)
    assert type(shot) is Shot
    assert (shot.prompt, shot.steps, shot.frames) == ("a fox", 7, 33)


@pytest.mark.parametrize("shift", [1e-300, 5e-324, 0, -1, 1e308, float("inf"), float("nan")])
def test_a_flow_shift_that_no_schedule_stands_is_refused(shift: float) -> None:
    with pytest.raises(ValidationError, match="flow_shift"):
        Shot(flow_shift=shift)
    assert min(sigmas_of("unipc", 500, LEAST_FLOW_SHIFT)) > 0
