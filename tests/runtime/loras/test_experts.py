"""LoRAs that are made for one of two transformers."""

from __future__ import annotations

import pytest

from tests.support import tiny
from wangp_cli.runtime.loras.experts import pair_by_name
from wangp_cli.tasks.generate import Generate

TWO = tiny.spec("t2v_2_2")
HIGH, LOW = "wan/high_noise_model.safetensors", "wan/low_noise_model.safetensors"


def task(*loras: str, multipliers: str = "") -> Generate:
    return Generate(prompt="a", model="m", loras=loras, lora_multipliers=multipliers)


@pytest.mark.parametrize(
    ("high", "low"),
    [
        (HIGH, LOW),
        ("Wan22_T2V_HIGH_Lightning.safetensors", "Wan22_T2V_LOW_Lightning.safetensors"),
        ("owner/name:styleHighNoise.safetensors@main", "owner/name:styleLowNoise.safetensors@main"),
        ("ink-high-noise", "ink-low-noise"),
    ],
)
def test_a_pair_without_strengths_is_split_and_told(high: str, low: str) -> None:
    paired, [notice] = pair_by_name(task(low, "other", high), TWO)
    assert [(name, str(strength)) for name, strength in paired.strengths()] == [
        (low, "0;1"),
        ("other", "1"),
        (high, "1;0"),
    ]
    assert f"{high} and {low} are a pair by their names" in str(notice)


@pytest.mark.parametrize(
    ("loras", "multipliers", "notices"),
    [
        ((HIGH, LOW), "1;0 0;1", 0),
        ((f"{HIGH}@1;0", f"{LOW}@0;1"), "", 0),
        ((HIGH, LOW), "0.8 0.8", 2),
        ((f"{HIGH}@0.8", LOW), "", 2),
        ((HIGH,), "", 1),
        ((HIGH, "other/low_noise_model.safetensors"), "", 2),
        (("highlands", "lowlands"), "", 0),
        (("wan_low_rank.safetensors",), "", 0),
        ((HIGH, HIGH.upper(), LOW), "", 3),
    ],
)
def test_other_strengths_stay_and_what_is_on_both_is_told(
    loras: tuple[str, ...], multipliers: str, notices: int
) -> None:
    before = task(*loras, multipliers=multipliers)
    after, told = pair_by_name(before, TWO)
    assert after == before
    assert len(told) == notices
    assert all("is applied to both transformers" in str(notice) for notice in told)


def test_a_model_of_one_transformer_takes_a_pair_as_it_is() -> None:
    given = task(HIGH, LOW)
    assert pair_by_name(given, tiny.spec("t2v")) == (given, [])
