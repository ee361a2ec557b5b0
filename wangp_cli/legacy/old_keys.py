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
    additional_loras apg_switch audio_prompt_type cfg_star_switch cfg_zero_step
    full_prompt image_prompt_type
    model_mode multi_prompts_gen_type NAG_alpha NAG_scale NAG_tau perturbation_end_perc perturbation_layers
    perturbation_start_perc perturbation_switch phase_config remove_background_images_ref slg_end_perc
    sliding_window_overlap_noise slg_layers slg_start_perc slg_switch video_prompt_type
    """.split()  # noqa: SIM905
)
"""Keys that are read by functions of their own."""

IGNORED = frozenset(
    """
    _api _settings_bundle_task_count adapter_payloads alt_guidance_scale alt_prompt alt_scale
    audio_postprocess client_id config control_net_weight2 control_net_weight_alt creation_date
    creation_timestamp
    custom_guide custom_setting_1 custom_setting_2 custom_setting_3 custom_setting_4 custom_setting_5
    custom_setting_dropdown_1 custom_setting_dropdown_2 custom_setting_dropdown_3 custom_setting_dropdown_4
    custom_setting_dropdown_5 custom_setting_slider_1 custom_setting_slider_2 custom_setting_slider_3
    custom_setting_slider_4 custom_setting_slider_5 custom_settings
    deepy_auto_cancel_queue_tasks deepy_default_speech_from_description_generator
    deepy_default_speech_from_sample_generator deepy_default_video_with_speech_generator
    duration_seconds embedded_guidance_scale enable_sync_mode enhanced_alt_prompt enhanced_prompt
    exaggeration
    flashvsr_topk_ratio generation_time help hires_denoise hires_steps
    hires_upscale_method
    image_mask_guide image_quality image_refs_relative_size input_video_strength
    keep_intermediate_sliding_windows
    in_this_scene lightning_lora_strength lightning_lora_strength_phase_1
    lightning_lora_strength_phase_2 loras_choices lset_name matanyone_version min_frames_if_references
    model_filename modules
    multi_images_gen_type output_filename pace pause_seconds
    plugin_data
    postprocess_audio_neg_prompt postprocess_audio_prompt postprocess_audio_seed priority project_id
    scene_reference_strength seedvc_voice_sample2
    self_refiner_certain_percentage self_refiner_f_uncertainty self_refiner_plan settings_version
    skip_steps_multiplier skip_steps_start_step_perc
    sliding_window_color_correction_strength
    sliding_window_trim_first_frames speakers_locations
    state style_reference_strength sub_parallel_window_overlap sub_parallel_window_size
    subject_description subject_strength target
    tea_cache_start_step_perc temperature top_k top_p transformer_loras_filenames
    transformer_loras_multipliers uni3c_blackout_last_frame uni3c_end_percent uni3c_frame_policy
    uni3c_guidance_frame_offset uni3c_guide_video uni3c_keep_on_gpu uni3c_start_percent uni3c_strength
    uni3c_zero_empty_frames video_quality window_no
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""Keys of older tools without effect here: bookkeeping, keys of models of other kinds, such as speech, or
values of features that a switch in `NEUTRAL` turns off. In documents of wangp they are unknown. The text of
`enhanced_prompt` replaces the prompt."""

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "tea_cache_setting": (0,),
    "self_refiner_setting": (0,),
    "masking_strength": (1,),
    "mask_expand": (0,),
    "video_guide_outpainting": ("", "#"),
    "video_guide_outpainting_ratio": ("",),
    "postprocess_audio": ("", "custom"),
    "replace_voice_method": ("",),
    "keep_frames_video_source": ("",),
    "keep_frames_video_guide": ("",),
    "frames_positions": ("",),
    "prompt_enhancer": ("",),
    "motion_amplitude": (1,),
    "RIFLEx_setting": (0, 2),
    "attention_sparsity": (1,),
    "video_guide2": ("",),
    "audio_guide2": ("",),
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
    "hires_scale": (1, 0, ""),
    "latent_noise_mask_strength": (0,),
    "style_reference_image": ("",),
    "subject_reference_image": ("",),
    "output_format": ("", "mp4"),
    "enable_base64_output": (False,),
    "apply_reward_lora": (False,),
}
"""Keys of unsupported features, and the values at which they have no effect."""

SERVED_WORDS: dict[str, tuple[str, ...]] = {
    "temporal_upsampling": ("", "rife2", "rife4"),
    "spatial_upsampling": ("", *(f"lanczos{factor}" for factor in ("1", "1.5", "2", "2.5", "3", "3.5", "4"))),
}
"""Keys that are fields here, and which of the older tools' words for them are served."""

NEUTRAL_HINTS = {
    "apply_reward_lora": "name the LoRA in loras",
    "output_format": "the ending of output picks the format",
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
ONLY_WORKER_KEYS = frozenset(
    """
    output_sub_dir custom_output_dir video_guide_path video_mask_path image_start_paths image_end_paths
    image_refs_paths lora_names use_causvid_lora use_lighti2x_lora
    """.split()  # noqa: SIM905
)
"""Keys that only the older worker had."""
ONLY_LIGHTX2V_KEYS = frozenset(
    """
    infer_steps target_video_length target_height target_width sample_guide_scale sample_shift
    self_attn_1_type cross_attn_1_type denoising_step_list boundary_step_index feature_caching lora_configs
    enable_cfg
    """.split()  # noqa: SIM905
)
"""Keys that only configurations of LightX2V have."""
