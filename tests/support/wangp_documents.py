"""Documents as WanGP writes them: settings of its versions, and accelerator profiles."""

from __future__ import annotations

from typing import Any

BASELINE: dict[str, Any] = {
    "prompt": "a paper boat",
    "alt_prompt": "",
    "negative_prompt": "",
    "image_mode": 0,
    "model_mode": None,
    "resolution": "832x480",
    "video_length": 81,
    "duration_seconds": 0,
    "pause_seconds": 0,
    "force_fps": "",
    "batch_size": 1,
    "repeat_generation": 1,
    "seed": -1,
    "num_inference_steps": 30,
    "sample_solver": "",
    "flow_shift": 3,
    "output_filename": "",
    "config": "",
    "custom_settings": None,
    "guidance_scale": 5,
    "guidance2_scale": 5,
    "guidance3_scale": 5,
    "guidance_phases": 1,
    "switch_threshold": 0,
    "switch_threshold2": 0,
    "model_switch_phase": 1,
    "embedded_guidance_scale": 6.0,
    "alt_guidance_scale": 1,
    "alt_scale": 0,
    "audio_guidance_scale": 4,
    "audio_scale": 1,
    "NAG_scale": 1,
    "NAG_tau": 3.5,
    "NAG_alpha": 0.5,
    "apg_switch": 0,
    "cfg_star_switch": 0,
    "cfg_zero_step": -1,
    "motion_amplitude": 1.0,
    "temperature": 0.8,
    "top_p": 0.9,
    "top_k": 50,
    "image_prompt_type": "",
    "video_prompt_type": "",
    "audio_prompt_type": "",
    "prompt_enhancer": "",
    "denoising_strength": 0.5,
    "input_video_strength": 1.0,
    "masking_strength": 1,
    "mask_expand": 0,
    "keep_frames_video_source": "",
    "keep_frames_video_guide": "",
    "frames_positions": "",
    "image_refs_relative_size": 50,
    "remove_background_images_ref": 1,
    "video_guide_outpainting": "#",
    "min_frames_if_references": 1,
    "control_net_weight": 1,
    "control_net_weight2": 1,
    "control_net_weight_alt": 1,
    "speakers_locations": "0:45 55:100",
    "multi_prompts_gen_type": 0,
    "multi_images_gen_type": 0,
    "skip_steps_cache_type": "",
    "skip_steps_multiplier": 1.75,
    "skip_steps_start_step_perc": 0,
    "sliding_window_size": 129,
    "sliding_window_overlap": 5,
    "sliding_window_discard_last_frames": 0,
    "sliding_window_overlap_noise": 0,
    "sliding_window_color_correction_strength": 0,
    "RIFLEx_setting": 0,
    "temporal_upsampling": "",
    "spatial_upsampling": "",
    "film_grain_intensity": 0,
    "film_grain_saturation": 0.5,
    "override_profile": -1,
    "activated_loras": [],
    "loras_multipliers": "",
    **dict.fromkeys(
        [
            "image_start",
            "image_end",
            "image_refs",
            "image_guide",
            "image_mask",
            "video_guide",
            "video_guide2",
            "video_mask",
            "video_source",
            "audio_guide",
            "audio_guide2",
            "audio_source",
            "custom_guide",
        ]
    ),
}
"""Every key that all versions write, at its default."""
OLD_NAMES: dict[str, Any] = {
    "slg_switch": 0,
    "slg_layers": [9],
    "slg_start_perc": 10,
    "slg_end_perc": 90,
    "MMAudio_setting": 0,
    "MMAudio_prompt": "",
    "MMAudio_neg_prompt": "",
    "seedvc_voice_sample": None,
}
SPEECH: dict[str, Any] = {"pace": 0.5, "exaggeration": 0.5}
NEW_NAMES: dict[str, Any] = {
    "perturbation_switch": 0,
    "perturbation_layers": [9],
    "perturbation_start_perc": 10,
    "perturbation_end_perc": 90,
    "postprocess_audio": "",
    "postprocess_audio_prompt": "",
    "postprocess_audio_neg_prompt": "",
    "replace_voice_method": "",
    "replace_voice_sample": None,
    "replace_voice_sample2": None,
    "self_refiner_setting": 0,
    "self_refiner_plan": "",
    "self_refiner_f_uncertainty": 0.0,
    "self_refiner_certain_percentage": 0.999,
    "override_attention": "",
    "video_guide_outpainting_ratio": "",
    "sliding_window_trim_first_frames": 0,
    "sub_parallel_window_size": 0,
    "sub_parallel_window_overlap": 17,
    "keep_intermediate_sliding_windows": 1,
    "attention_sparsity": 1.0,
    "multi_prompts_gen_type": "PG",
    "client_id": "",
}
VERSIONS = {
    2.31: OLD_NAMES | {"tea_cache_setting": 0, "tea_cache_start_step_perc": 0},
    2.34: OLD_NAMES,
    2.39: OLD_NAMES | SPEECH,
    2.41: OLD_NAMES | SPEECH | {"plugin_data": {}},
    2.44: OLD_NAMES | SPEECH | {"override_profile": -1},
    2.47: OLD_NAMES | SPEECH | {"custom_setting_1": "", "custom_setting_slider_5": 0},
    2.50: OLD_NAMES | {"custom_setting_dropdown_2": ""},
    2.54: NEW_NAMES | {"flashvsr_topk_ratio": 0.0},
    2.61: NEW_NAMES | {"matanyone_version": "v1"},
    2.66: NEW_NAMES,
    2.70: NEW_NAMES,
    2.74: NEW_NAMES,
}
"""What each version writes besides the baseline; where names changed, its own."""
MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "t2v_1.3B": {},
    "t2v": {},
    "t2v_2_2": {"guidance_phases": 2, "switch_threshold": 875, "guidance2_scale": 3, "flow_shift": 12},
    "i2v": {"image_prompt_type": "S", "flow_shift": 7},
    "i2v_2_2": {
        "image_prompt_type": "S",
        "guidance_phases": 2,
        "switch_threshold": 900,
        "masking_strength": 0.1,
        "denoising_strength": 0.9,
    },
    "ti2v_2_2": {"image_prompt_type": "T", "resolution": "1280x720", "video_length": 121},
    "flf2v_720p": {"image_prompt_type": "S"},
    "fun_inp": {"image_prompt_type": "S"},
    "vace_1.3B": {},
    "vace_14B": {"sliding_window_discard_last_frames": 0},
    "vace_14B_2_2": {"guidance_phases": 2, "switch_threshold": 875},
    "vace_14B_lightning_3p_2_2": {
        "guidance_phases": 3,
        "switch_threshold": 965,
        "switch_threshold2": 800,
        "model_switch_phase": 2,
        "sample_solver": "euler",
    },
    "phantom_14B": {"video_prompt_type": "I", "guidance_scale": 7.5},
    "recam_1.3B": {"video_prompt_type": "UV", "model_mode": 1},
    "sky_df_14B": {"model_mode": 0, "sliding_window_overlap_noise": 20, "resolution": "960x544"},
    "fantasy": {"image_prompt_type": "S", "audio_prompt_type": "A", "sliding_window_overlap": 1},
}
"""What WanGP writes for a model, besides the baseline."""
INPUTS = ("image_start", "image_refs", "video_guide", "audio_guide")
"""Fields that flags give for documents whose letters ask for them."""


def settings(version: float, model: str) -> dict[str, Any]:
    """A settings file of a version of WanGP for a model."""
    about = {"settings_version": version, "model_type": model, "type": "WanGP v10.1 by DeepBeepMeep - Wan"}
    return BASELINE | VERSIONS[version] | MODEL_DEFAULTS[model] | about


def _profile(steps: int, loras: int = 1, multipliers: str = "1", **values: Any) -> dict[str, Any]:
    files = [
        f"https://huggingface.co/owner/name/resolve/main/lora_{index}.safetensors" for index in range(loras)
    ]
    return {
        "num_inference_steps": steps,
        "guidance_scale": 1,
        "activated_loras": files,
        "loras_multipliers": multipliers,
        **values,
    }


TWO: dict[str, Any] = {
    "guidance2_scale": 1,
    "guidance_phases": 2,
    "switch_threshold": 876,
    "model_switch_phase": 1,
}
THREE: dict[str, Any] = {
    "guidance_scale": 3.5,
    "guidance2_scale": 1,
    "guidance3_scale": 1,
    "guidance_phases": 3,
    "switch_threshold": 965,
    "switch_threshold2": 800,
    "model_switch_phase": 2,
    "sample_solver": "euler",
}
ONE: dict[str, Any] = {"guidance_phases": 1}
I2V: dict[str, Any] = {"alt_guidance_scale": 1, "audio_guidance_scale": 1, **ONE}
HELP = {"help": "This profile adds a phase with guidance in front of the two accelerated ones."}
HIGH_LOW, HIGH_LOW_OF_THREE = "1;0 0;1", "0;1;0 0;0;1"
PROFILES: dict[str, dict[str, Any]] = {
    "cocktail t2v": _profile(10, 4, "1 0.5 0.5 0.5", flow_shift=2, **ONE),
    "fusionix t2v": _profile(10, flow_shift=2, **ONE),
    "lightx2v t2v": _profile(4, flow_shift=2, **ONE),
    "causvid 1.3B": _profile(8, flow_shift=2, sample_solver="causvid", **ONE),
    "fusionix t2v 2.2": _profile(10, flow_shift=2, guidance2_scale=1, guidance_phases=2),
    "lightning t2v v1.0": _profile(4, 2, HIGH_LOW, flow_shift=3, **TWO),
    "lightning t2v 250928": _profile(4, 2, HIGH_LOW, flow_shift=3, **TWO),
    "lightning t2v 251217": _profile(4, 2, HIGH_LOW, flow_shift=3, **TWO),
    "lightning t2v v1.0, 3 phases": _profile(8, 2, HIGH_LOW_OF_THREE, flow_shift=3, **THREE, **HELP),
    "lightning t2v 250928, 3 phases": _profile(8, 2, HIGH_LOW_OF_THREE, flow_shift=3, **THREE, **HELP),
    "lightning t2v 251217, 3 phases": _profile(8, 2, HIGH_LOW_OF_THREE, flow_shift=3, **THREE, **HELP),
    "lightning i2v v1.0": _profile(4, 2, HIGH_LOW, flow_shift=3, sample_solvers="euler", **TWO),
    "lightning i2v 251014": _profile(4, 2, HIGH_LOW, flow_shift=5, sample_solvers="euler", **TWO),
    "lightning i2v v1.0, 3 phases": _profile(8, 2, HIGH_LOW_OF_THREE, flow_shift=3, **THREE, **HELP),
    "lightning i2v 251014, 3 phases": _profile(8, 2, HIGH_LOW_OF_THREE, flow_shift=5, **THREE, **HELP),
    "fun inp HPS": _profile(8, 2, HIGH_LOW, flow_shift=3, **TWO),
    "fun inp MPS": _profile(4, 2, HIGH_LOW, flow_shift=3, **TWO),
    "fusionix i2v": _profile(10, **I2V),
    "lightx2v i2v": _profile(4, **I2V),
    "fastwan 5B": _profile(3, flow_shift=3),
    "fastwan ovi": _profile(6, flow_shift=6, audio_guidance_scale=1),
    "alpha": _profile(4, flow_shift=2, **ONE),
    "chrono edit": _profile(8, flow_shift=2, **ONE),
}
"""The accelerator profiles for Wan models, with LoRAs of other addresses."""
