"""Configurations of LightX2V."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.payloads import JUNK
from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate
from wangp_cli.plan.phases import phase_lengths, timesteps_of

PLAIN: dict[str, Any] = {
    "infer_steps": 40,
    "target_video_length": 81,
    "text_len": 512,
    "target_height": 480,
    "target_width": 832,
    "self_attn_1_type": "flash_attn3",
    "cross_attn_1_type": "sage_attn2",
    "cross_attn_2_type": "torch_sdpa",
    "sample_guide_scale": 5.0,
    "sample_shift": 3.0,
    "enable_cfg": True,
    "cpu_offload": True,
    "offload_granularity": "block",
    "t5_cpu_offload": False,
    "vae_cpu_offload": False,
    "feature_caching": "NoCaching",
    "dit_original_ckpt": None,
}
DISTILLED = PLAIN | {
    "infer_steps": 4,
    "sample_guide_scale": [1.0, 1.0],
    "enable_cfg": False,
    "sample_shift": 5.0,
    "denoising_step_list": [1000, 750, 500, 250],
    "boundary_step_index": 2,
    "lora_configs": [
        {"name": "high_noise_model", "path": "owner/name/high.safetensors", "strength": 1.0},
        {"name": "low_noise_model", "path": "owner/name/low.safetensors", "strength": 0.8},
    ],
}


def test_a_configuration_gives_the_values_of_a_task() -> None:
    made = translate(PLAIN)
    assert made.values == {
        "steps": 40,
        "frames": 81,
        "size": "832x480",
        "guidance_scale": 5.0,
        "flow_shift": 3.0,
    }
    assert made.notices == ()


def test_two_experts_have_phases_scales_and_loras_of_their_own() -> None:
    values = translate(DISTILLED).values
    assert (values["guidance_scale"], values["guidance2_scale"]) == (1.0, 1.0)
    assert values["loras"] == ["owner/name/high.safetensors@1.0;0", "owner/name/low.safetensors@0;0.8"]
    timesteps = timesteps_of(values["sampler"], values["steps"], values["flow_shift"])
    assert phase_lengths(timesteps, [values["switch_threshold"]]) == [2, 2]
    by_boundary = translate(PLAIN | {"boundary": 0.9, "sample_guide_scale": [4.0, 3.0]}).values
    assert (by_boundary["guidance_phases"], by_boundary["switch_threshold"]) == (2, 900)


def test_unknown_keys_are_named_in_one_notice() -> None:
    (notice,) = translate(PLAIN | {"new_thing": 1, "other_thing": 2}).notices
    assert notice == "not used, there are no such keys here: new_thing, other_thing"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("self_attn_1_type", "radial_attn"),
        ("self_attn_1_type", "spas_sage_attn2"),
        ("feature_caching", "Tea"),
        ("changing_resolution", True),
        ("video_frame_interpolation", {"algo": "rife"}),
        ("enable_dynamic_cfg", True),
        ("dit_original_ckpt", "own.safetensors"),
        ("high_noise_quantized_ckpt", "own.safetensors"),
        ("denoising_step_list", [1000, 500, 400]),
        ("boundary_step_index", 40),
        ("lora_configs", [{"strength": 1}]),
        ("lora_configs", [{"path": "a", "name": "other"}]),
        ("infer_steps", "4"),
        ("target_width", None),
        ("ar_config", {"num_frame_per_chunk": 3}),
    ],
)
def test_a_value_that_asks_for_what_is_not_served_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(RequestError) as refused:
        translate(PLAIN | {key: value})
    assert refused.value.field == key


def test_weights_of_its_own_are_those_of_the_model_that_is_named() -> None:
    document = PLAIN | {"dit_original_ckpt": "own.safetensors"}
    assert translate(document, given=["model"]).values == translate(PLAIN).values


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([*DISTILLED, "zz", "fps", "boundary"]), JUNK, max_size=5))
def test_whatever_a_key_holds_the_answer_is_values_or_an_error_that_names_it(junk: dict[str, Any]) -> None:
    named = None
    try:
        translate(DISTILLED | junk)
    except RequestError as refused:
        named = refused.field
    assert named is None or named in DISTILLED | junk
