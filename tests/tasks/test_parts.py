"""Values that parts have of their own."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.tasks.parts import PartLoraOptions, PartPhases, check_multipliers, sampling_of
from wangp_cli.tasks.shot import Sampling


def test_a_part_has_only_the_values_that_are_given() -> None:
    found = PartPhases(part_phases="steps=8 guidance_scale=1 lora_multipliers='1 0.5'")
    [part] = found.part_phases
    assert sampling_of(part) == {"steps": 8, "guidance_scale": 1.0}
    assert part.lora_multipliers == "1 0.5"
    assert PartPhases.model_validate(found.model_dump()) == found


@pytest.mark.parametrize(
    ("value", "message"),
    [("steps", "is not KEY=VALUE"), ("steps='8", "No closing quotation"), ("seed=3", "Extra inputs")],
)
def test_another_form_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PartPhases(part_phases=value)


@pytest.mark.parametrize(("text", "message"), [("1", "1 strengths for 2 LoRAs"), ("1 1;0", "2 phases")])
def test_strengths_that_do_not_fit_the_run_are_refused(text: str, message: str) -> None:
    check_multipliers(None, Sampling(), 2)
    check_multipliers("1 0.5", Sampling(), 2)
    with pytest.raises(ValueError, match=message):
        check_multipliers(text, Sampling(), 2)


@pytest.mark.parametrize("text", ["", "a", "1 nan"])
def test_factors_are_numbers(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a number for each LoRA"):
        PartLoraOptions(part_lora_factors=(text,))
