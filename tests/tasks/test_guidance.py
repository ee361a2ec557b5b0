"""Guidance scales and methods."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.tasks.guidance import Guidance


def test_a_phase_without_a_scale_has_that_of_the_phase_before() -> None:
    scales = Guidance(guidance_scale=4, guidance3_scale=0)
    assert [scales.guidance_of(phase) for phase in range(3)] == [4, 4, 0]


def test_layers_are_skipped_in_a_share_of_the_steps() -> None:
    assert Guidance(skip_layer_start=0.1, skip_layer_stop=0.5).skip_layer_span(30) == (3, 15)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"apg": True, "cfg_zero": True}, "apg: not together with cfg_zero"),
        ({"zero_init_steps": 1}, "is part of cfg_zero"),
        ({"skip_layers": [9], "skip_layer_start": 0.9}, "must be above skip_layer_start"),
    ],
)
def test_methods_that_exclude_each_other_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Guidance(**values)
