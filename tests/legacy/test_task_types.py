"""Task types of the older worker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.payloads import TRAVEL, line
from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate
from wangp_cli.legacy.task_types import (
    IMAGE_TYPES,
    INSTEAD,
    MODELS,
    PAYLOADS,
    UNSUPPORTED,
    hint_for_key,
    is_old_type,
    task_type_of,
    unpack,
)
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.generate import Generate


def test_the_tables_do_not_contradict_each_other() -> None:
    assert not set(MODELS) & set(PAYLOADS)
    assert not set(UNSUPPORTED) & (set(MODELS) | set(PAYLOADS))
    assert set(IMAGE_TYPES) <= set(MODELS)
    assert set(INSTEAD) <= set(UNSUPPORTED)
    assert all(payload.task in TASKS for payload in PAYLOADS.values())


@pytest.mark.parametrize("kind", sorted(UNSUPPORTED))
def test_an_unsupported_type_says_why_and_what_to_use_instead(kind: str) -> None:
    assert is_old_type(kind)
    with pytest.raises(RequestError, match=f"type: '{kind}' ") as told:
        unpack({"task_type": kind, "style_reference_image": "a.png"})
    assert told.value.hint == INSTEAD.get(kind)


def test_a_type_is_a_text_under_either_key() -> None:
    assert task_type_of({"task_type": "t2v", "type": "generate"}) == "t2v"
    assert task_type_of({"type": ["t2v"]}) == ""
    assert not is_old_type("generate")


def test_settings_of_other_tools_are_left_as_they_are() -> None:
    payload = unpack({"type": "generate", "user_id": 3})
    assert payload.values == {"type": "generate", "user_id": 3}
    assert not payload.is_old
    old = unpack({"task_type": "t2v", "user_id": 3, "prompt": "a", "seed": None})
    assert old.values == {"task_type": "t2v", "prompt": "a"}
    assert old.is_old


def test_a_key_of_a_payload_names_a_type_it_belongs_to() -> None:
    assert (
        hint_for_key("portions_to_regenerate") == "it belongs to a task_type such as edit_video_orchestrator"
    )
    assert hint_for_key("nothing") == ""


ASKS_FOR_NOTHING: dict[str, Any] = {
    "negative_prompt": "",
    "embedded_guidance_scale": 6,
    "audio_guidance_scale": 4,
    "repeat_generation": 1,
    "multi_images_gen_type": 0,
    "video_prompt_type": "",
    "control_net_weight": 1,
    "control_net_weight2": 1,
    "keep_frames_video_guide": "",
    "video_guide_outpainting": "#",
    "mask_expand": 0,
    "image_prompt_type": "",
    "frames_positions": "",
    "model_mode": 0,
    "keep_frames_video_source": "",
    "audio_prompt_type": "",
    "speakers_locations": "0:45 55:100",
    "activated_loras": [],
    "loras_multipliers": "",
    "additional_loras": {},
    "loras": [],
    "tea_cache_setting": 0,
    "tea_cache_start_step_perc": 0,
    "RIFLEx_setting": 0,
    "slg_switch": 0,
    "slg_layers": [9],
    "slg_start_perc": 10,
    "slg_end_perc": 90,
    "cfg_star_switch": 0,
    "cfg_zero_step": -1,
    "prompt_enhancer": "",
    "hires_scale": 1,
    "hires_steps": 6,
    "hires_denoise": 0.5,
    "hires_upscale_method": "bicubic",
    "lightning_lora_strength": 0.85,
    "lightning_lora_strength_phase_1": 0.85,
    "lightning_lora_strength_phase_2": 0,
    "sliding_window_overlap_noise": 0,
    "sliding_window_discard_last_frames": 0,
    "latent_noise_mask_strength": 0,
    "vid2vid_init_video": "",
    "vid2vid_init_strength": 1,
    "remove_background_images_ref": 0,
    "temporal_upsampling": "",
    "spatial_upsampling": "",
    "film_grain_intensity": 0,
    "film_grain_saturation": 0.5,
    "image_refs_relative_size": 50,
    "override_profile": -1,
    "image": "",
    "image_url": "",
    "mask_url": "",
    "style_reference_image": "",
    "subject_reference_image": "",
    "style_reference_strength": 0,
    "subject_strength": 0,
    "subject_description": "",
    "in_this_scene": False,
    "output_format": "mp4",
    "enable_base64_output": False,
    "enable_sync_mode": False,
    "use_uni3c": False,
    "uni3c_guide_video": "a.mp4",
    "uni3c_strength": 0.8,
    "uni3c_start_percent": 0,
    "uni3c_end_percent": 1,
    "uni3c_keep_on_gpu": False,
    "uni3c_frame_policy": "fit",
    "uni3c_zero_empty_frames": True,
    "uni3c_blackout_last_frame": False,
    "denoising_strength": 1,
}
"""Keys that the older worker passes on, at values that ask for nothing."""


@pytest.mark.parametrize("key", ASKS_FOR_NOTHING)
def test_keys_of_the_older_worker_may_ask_for_nothing(key: str) -> None:
    for kind in ("t2v", "vace_21", "wan_2_2_t2i", "travel_orchestrator"):
        base = TRAVEL if kind == "travel_orchestrator" else {"prompt": "a"}
        usual = translate({"task_type": kind} | base)
        made = translate({"task_type": kind} | base | {key: ASKS_FOR_NOTHING[key]})
        assert made.notices == usual.notices
        changed = {name for name, value in made.values.items() if usual.values.get(name) != value}
        # Some are fields here, and have the default.
        defaults = {name: field.default for name, field in Generate.model_fields.items()}
        assert all(made.values[name] == defaults[name] for name in changed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_uni3c", True),
        ("hires_scale", 2),
        ("latent_noise_mask_strength", 0.5),
        ("style_reference_image", "a.png"),
        ("subject_reference_image", "a.png"),
        ("output_format", "webm"),
        ("enable_base64_output", True),
        ("tea_cache_setting", 2),
        ("spatial_upsampling", "flashvsr2"),
    ],
)
def test_what_the_older_worker_does_and_is_not_served_is_refused(key: str, value: Any) -> None:
    with pytest.raises(RequestError, match=f"{key}: .* is not served"):
        translate({"task_type": "t2v", "prompt": "a", key: value})


def test_a_misspelt_old_type_has_a_near_match() -> None:
    for kind, near in (
        ("travel_orchestratr", "travel_orchestrator"),
        ("join_clip_segment", "join_clips_segment"),
    ):
        error = line({"task_type": kind, "prompt": "a"}).error
        assert error is not None
        assert error.field == "type"
        assert near in str(error.hint)


def test_a_key_gives_way_to_the_one_that_the_older_worker_prefers() -> None:
    made = translate({"task_type": "t2v", "prompt": "a", "steps": 20, "num_inference_steps": 6})
    assert made.values["steps"] == 6
    assert made.notices == ("steps: not used, num_inference_steps is given",)
