"""The words of the older tools, translated in one place; what we do not serve is rejected by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wangp_cli.errors import RequestError

RENAMED = {
    "model_type": "model",
    "model_name": "model",
    "base_model_type": "model",
    "task_type": "type",
    "num_inference_steps": "steps",
    "sampling_steps": "steps",
    "video_length": "frames",
    "num_frames": "frames",
    "resolution": "size",
    "force_fps": "fps",
    "sample_solver": "sampler",
    "activated_loras": "loras",
    "lora_names": "loras",
    "control_net_weight": "control_strength",
    "repeat_generation": "count",
    "image": "image_start",
    "image_url": "image_start",
    "image_start_paths": "image_start",
    "video_guide_path": "video_guide",
    "video_mask_path": "video_mask",
    "output_sub_dir": "output_dir",
    "prompts": "prompt",
}
"""Old key to ours. `base_model_type` counts only where `model_type` is absent."""

DROPPED = frozenset(
    """
    adapter_payloads alt_guidance_scale alt_scale audio_guidance_scale audio_scale cfg_zero_step client_id
    config control_net_weight2 control_net_weight_alt creation_date creation_timestamp custom_settings
    duration_seconds embedded_guidance_scale film_grain_saturation generation_time guidance2_scale
    guidance3_scale image_quality image_refs_relative_size keep_intermediate_sliding_windows
    loras_multipliers lset_name min_frames_if_references model_filename model_switch_phase modules
    multi_images_gen_type multi_prompts_gen_type NAG_alpha NAG_tau output_filename pause_seconds
    perturbation_end_perc perturbation_layers perturbation_start_perc plugin_data
    postprocess_audio_neg_prompt postprocess_audio_prompt priority remove_background_images_ref
    self_refiner_certain_percentage self_refiner_f_uncertainty self_refiner_plan settings_version
    skip_steps_multiplier skip_steps_start_step_perc slg_end_perc slg_layers slg_start_perc
    sliding_window_color_correction_strength sliding_window_discard_last_frames sliding_window_overlap
    sliding_window_overlap_noise sliding_window_size sliding_window_trim_first_frames speakers_locations
    state sub_parallel_window_overlap sub_parallel_window_size switch_threshold switch_threshold2
    tea_cache_start_step_perc temperature top_k top_p transformer_loras_filenames
    transformer_loras_multipliers video_guide_outpainting_ratio video_quality window_no
    """.split()  # noqa: SIM905 - a list of 60 words reads better as words
)
"""Keys without effect on what we serve: bookkeeping, or numbers of features that a switch turns off."""

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "guidance_phases": (0, 1),
    "NAG_scale": (0, 1),
    "apg_switch": (0,),
    "cfg_star_switch": (0,),
    "perturbation_switch": (0,),
    "slg_switch": (0,),
    "skip_steps_cache_type": ("",),
    "tea_cache_setting": (0,),
    "self_refiner_setting": (0,),
    "denoising_strength": (1,),
    "input_video_strength": (1,),
    "masking_strength": (1,),
    "mask_expand": (0,),
    "video_guide_outpainting": ("", "#"),
    "temporal_upsampling": ("",),
    "spatial_upsampling": ("",),
    "film_grain_intensity": (0,),
    "postprocess_audio": ("",),
    "replace_voice_method": ("",),
    "override_attention": ("",),
    "model_mode": ("",),
    "keep_frames_video_source": ("",),
    "keep_frames_video_guide": ("",),
    "frames_positions": ("",),
    "prompt_enhancer": ("",),
    "audio_prompt_type": ("",),
    "motion_amplitude": (1,),
    "RIFLEx_setting": (0, 2),
    "override_profile": (-1,),
    "attention_sparsity": (1,),
    "alt_prompt": ("",),
    "video_guide2": ("",),
    "audio_guide": ("",),
    "audio_guide2": ("",),
    "custom_guide": ("",),
    "replace_voice_sample": ("",),
    "replace_voice_sample2": ("",),
    "batch_size": (1,),
    "mode": ("",),
}
"""Switches of features that we do not serve yet, at the values where they do nothing."""

SAMPLERS = {"": None, "unipc": "unipc", "euler": "euler", "dpm++": "dpm++", "dpm++_sde": None}
SERVED_LETTERS = {"image_prompt_type": "SEVT", "video_prompt_type": "VAMUIK"}
"""Letters whose meaning follows from the inputs themselves."""
MARKS = (
    "settings_version", "model_type", "base_model_type", "video_length", "num_inference_steps", "resolution",
    "activated_loras",
)  # fmt: skip

GONE_FLAGS = {
    "--loras": "--lora",
    "--lora-multipliers": "--lora PATH@STRENGTH",
    "--loras-multipliers": "--lora PATH@STRENGTH",
    "--list-loras": "--lora",
    "--fp16": "--dtype float16",
    "--bf16": "--dtype bfloat16",
    "--model-name": "--model",
    "--num-inference-steps": "--steps",
    "--video-length": "--frames",
    "--num-frames": "--frames",
    "--resolution": "--size",
    "--model-type": "--model",
    "--force-fps": "--fps",
    "--sample-solver": "--sampler",
    "--task-type": "the name of the command",
    "--control-net-weight": "--control-strength",
    "--repeat-generation": "--count",
    "--image-refs": "--image-ref",
    "--gpu": "--device",
    "--verbose": "--log-level",
}
"""Flags of the older tools, and what to type instead."""


def translate(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Values under our names, from a dictionary that may use the older tools' words.

    Raises:
        RequestError: a known old key asks for something that we do not serve.
    """
    found: dict[str, Any] = {}
    foreign = any(key in settings for key in MARKS)
    for key, value in settings.items():
        if value is None or key in DROPPED or (foreign and key == "type"):
            continue
        if key in SERVED_LETTERS:
            _check_letters(key, str(value))
        elif key in NEUTRAL:
            if value not in NEUTRAL[key]:
                raise RequestError(key, f"{value!r} is not served", hint=f"leave {key} out")
        elif key in RENAMED:
            if key != "base_model_type" or "model_type" not in settings:
                found[RENAMED[key]] = value
        elif key != "embedded":
            found.setdefault(key, value)
    return _values(found, str(settings.get("loras_multipliers") or "")) if foreign else found


def _check_letters(key: str, letters: str) -> None:
    strange = [letter for letter in letters if letter not in SERVED_LETTERS[key]]
    if strange:
        raise RequestError(
            key, f"{letters!r} asks for {', '.join(strange)}, which is not served", hint="leave it out"
        )


def _values(found: dict[str, Any], multipliers: str) -> dict[str, Any]:
    """Values of the older tools in our form: floored lengths, solver names, LoRA strengths in one text."""
    match found.pop("image_mode", 0):
        case 0:
            pass
        case 1:
            found["frames"] = 1
        case mode:
            raise RequestError("image_mode", f"{mode!r} is not served", hint="leave image_mode out")
    if "sampler" in found:
        name = str(found.pop("sampler"))
        if SAMPLERS.get(name, name) is not None:
            found["sampler"] = SAMPLERS.get(name, name)
    if isinstance(frames := found.get("frames"), int) and frames > 1:
        found["frames"] = (frames - 1) // 4 * 4 + 1
    if str(found.get("fps", "1")) in ("", "auto", "source", "control"):
        found.pop("fps")
    if isinstance(found.get("image_start"), list):
        found["image_start"] = (
            found["image_start"][0] if len(found["image_start"]) == 1 else found["image_start"]
        )
    if loras := found.get("loras"):
        found["loras"] = _with_strengths([loras] if isinstance(loras, str) else loras, multipliers)
    return {key: value for key, value in found.items() if value not in ("", [], ())}


def _with_strengths(loras: Any, multipliers: str) -> list[str]:
    if not isinstance(loras, list) or not all(isinstance(lora, str) for lora in loras):
        raise RequestError("activated_loras", f"{loras!r} is not a list of file names")
    lines = [line for line in multipliers.splitlines() if not line.startswith("#")]
    tokens = re.split(r"[ |]+", " ".join(lines).strip()) if lines else []
    for token in tokens:
        if token and not re.fullmatch(r"-?\d+(\.\d+)?", token):
            raise RequestError("loras_multipliers", f"{token!r} is not served, one number per LoRA is")
    strengths = [*[token or "1" for token in tokens], *["1"] * len(loras)]
    return [f"{lora}@{strength}" for lora, strength in zip(loras, strengths, strict=False)]
