"""Keys of the older tools: renamed, ignored, and accepted only at neutral values."""

from __future__ import annotations

from typing import Any

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
    "image_end_paths": "image_end",
    "image_refs_paths": "image_refs",
    "mask_url": "image_mask",
    "output_sub_dir": "output_dir",
    "custom_output_dir": "output_dir",
    "prompts": "prompt",
    "loras_multipliers": "lora_multipliers",
    "loras_mult": "lora_multipliers",
    "denoise_strength": "denoising_strength",
    "vid2vid_init_video": "video_initial",
    "vid2vid_init_strength": "denoising_strength",
    "override_profile": "profile",
    "override_attention": "attention",
    "transformer_dtype_policy": "dtype",
    "vae_precision": "vae_dtype",
    "vae_config": "vae_tiling",
    "skip_steps_cache_type": "cache",
}
"""Field by old key. `base_model_type` counts only if no other key names the model."""

READ_ELSEWHERE = frozenset(
    """
    additional_loras apg_switch audio_prompt_type cfg_star_switch cfg_zero_step embedded image_prompt_type
    model_mode multi_prompts_gen_type NAG_alpha NAG_scale NAG_tau perturbation_end_perc perturbation_layers
    perturbation_start_perc perturbation_switch phase_config remove_background_images_ref slg_end_perc
    sliding_window_overlap_noise slg_layers slg_start_perc slg_switch video_prompt_type
    """.split()  # noqa: SIM905
)
"""Keys that are read by functions of their own."""

IGNORED = frozenset(
    """
    _api adapter_payloads alt_guidance_scale alt_scale
    client_id config control_net_weight2 control_net_weight_alt creation_date creation_timestamp
    custom_settings
    duration_seconds embedded_guidance_scale film_grain_saturation generation_time
    image_quality image_refs_relative_size keep_intermediate_sliding_windows
    full_prompt lset_name min_frames_if_references model_filename modules
    multi_images_gen_type output_filename pause_seconds
    plugin_data
    postprocess_audio_neg_prompt postprocess_audio_prompt priority project_id
    self_refiner_certain_percentage self_refiner_f_uncertainty self_refiner_plan settings_version
    skip_steps_multiplier skip_steps_start_step_perc
    sliding_window_color_correction_strength
    sliding_window_trim_first_frames speakers_locations
    state sub_parallel_window_overlap sub_parallel_window_size
    tea_cache_start_step_perc temperature top_k top_p transformer_loras_filenames
    transformer_loras_multipliers video_guide_outpainting_ratio video_quality window_no
    """.split()  # noqa: SIM905 - a list of 60 words reads better as words
)
"""Keys without effect here: bookkeeping, or values of features that a switch in `NEUTRAL` turns off."""

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "tea_cache_setting": (0,),
    "self_refiner_setting": (0,),
    "input_video_strength": (1,),
    "masking_strength": (1,),
    "mask_expand": (0,),
    "video_guide_outpainting": ("", "#"),
    "temporal_upsampling": ("",),
    "spatial_upsampling": ("",),
    "film_grain_intensity": (0,),
    "postprocess_audio": ("",),
    "replace_voice_method": ("",),
    "keep_frames_video_source": ("",),
    "keep_frames_video_guide": ("",),
    "frames_positions": ("",),
    "prompt_enhancer": ("",),
    "motion_amplitude": (1,),
    "RIFLEx_setting": (0, 2),
    "attention_sparsity": (1,),
    "alt_prompt": ("",),
    "video_guide2": ("",),
    "audio_guide2": ("",),
    "custom_guide": ("",),
    "replace_voice_sample": ("",),
    "replace_voice_sample2": ("",),
    "batch_size": (1,),
    "mode": ("",),
    "seedvc_voice_sample": ("",),
    "MMAudio_setting": (0,),
    "MMAudio_prompt": ("",),
    "MMAudio_neg_prompt": ("",),
    "strength": (1,),
    "orchestrator_details": ({},),
    "full_orchestrator_payload": ({},),
    "use_uni3c": (False,),
    "hires_scale": (1,),
    "apply_reward_lora": (False,),
}
"""Keys of unsupported features, and the values at which they have no effect."""

NEUTRAL_HINTS = {
    "apply_reward_lora": "name the LoRA in loras",
    "orchestrator_details": "name what it is: a task_type such as travel_orchestrator",
    "full_orchestrator_payload": "name what it is: a task_type such as travel_orchestrator",
}
"""Hints for other values of some of them; without a hint it is to leave the key out."""
ACCELERATORS = {"use_causvid_lora": "causvid", "use_lighti2x_lora": "lightx2v"}
"""Accelerator by the switch that turns it on."""
RENAMED_VALUES: dict[str, dict[Any, Any]] = {
    "override_profile": {-1: None, 1: "1", 2: "2", 3: "3", 3.5: "3", 4: "4", 4.5: "4", 5: "5"},
    "override_attention": {"": None},
    "transformer_dtype_policy": {"": None, "bf16": "bfloat16", "fp16": "float16"},
    "vae_precision": {"16": "bfloat16", 16: "bfloat16", "32": "float32", 32: "float32"},
    "vae_config": {0: "auto", 1: 512, 2: 256, 3: 128},
    "skip_steps_cache_type": {"": None, "mag": "magcache", "first_block": "fbcache"},
}
"""Value by old value of renamed keys; None drops the key."""
ONLY_OLD_KEYS = frozenset(
    """
    settings_version model_type base_model_type video_length num_inference_steps resolution activated_loras
    loras_mult task_type output_sub_dir video_guide_path video_mask_path image_start_paths lora_names
    """.split()  # noqa: SIM905
)
"""Keys that only the older tools write: if one is given, the other keys are read as theirs."""
