"""Translate a configuration of LightX2V into the fields of a task."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.payload import UnpackedPayload
from wangp_cli.legacy.unknown_keys import unknown_keys_notice
from wangp_cli.legacy.value_parsers import (
    ValueParser,
    any_value,
    boolean,
    file_name,
    list_of,
    number,
    object_of,
    parse_value,
    quote_value,
    text,
    whole_number,
)
from wangp_cli.plan.phases import CAUSVID, thresholds_between, timesteps_of

_RENAMED: Mapping[str, tuple[str, ValueParser[Any]]] = {
    "infer_steps": ("steps", whole_number),
    "target_video_length": ("frames", whole_number),
    "sample_shift": ("flow_shift", number),
    "fps": ("fps", number),
    "seed": ("seed", whole_number),
    "prompt": ("prompt", text),
    "negative_prompt": ("negative_prompt", text),
    "image_path": ("image_start", text),
    "last_frame_path": ("image_end", text),
}
"""Field and parser by key."""
_COMBINED = frozenset(
    """
    target_height target_width sample_guide_scale enable_cfg boundary boundary_step_index denoising_step_list
    lora_configs feature_caching
    """.split()  # noqa: SIM905
)
_EXPERTS = {"high_noise_model": "{};0", "low_noise_model": "0;{}"}
"""Strength by phase of a LoRA, by the expert it names."""
_CACHES = {"NoCaching": None, "Mag": "magcache", "FirstBlock": "fbcache"}
"""Step cache by `feature_caching`."""
_WEIGHTS = re.compile(r"(dit|high_noise|low_noise)_(original|quantized)_ckpt")
"""Keys that name weights of the transformer."""
_OFF: Mapping[str, tuple[Any, ...]] = {
    "changing_resolution": (False,),
    "video_frame_interpolation": ({}, ""),
    "enable_dynamic_cfg": (False,),
    "use_prompt_enhancer": (False,),
    "magcache_calibration": (False,),
    "ar_config": ({},),
    "sparge": (False,),
}
"""Keys of features without a counterpart, and the values at which they are off."""
_DENSE = re.compile(r"(?!spa)\w*(flash_attn|sage_attn|sdpa)\w*")
"""Attention over all tokens, whose result the backend does not change."""
_WITHOUT_EFFECT = re.compile(
    r"text_len|text_dim|model_type|model_cls|model_path|task|comment\w*|parallel|disagg_\w+|"
    r"(cpu_offload|offload_granularity|lazy_load|unload_modules|clean_cuda_cache|use_compile|rotary_chunk)|"
    r"(t5|vae|clip|dit)_(cpu_offload|quantized|quant_scheme|dtype|offload_cache|quantized_ckpt|original_ckpt|"
    r"tokenizer_path|path)|"
    r"\w*(rms|layer)_norm_type|\w*rope_type|modulate_type|tp_mm_type|adapter_attn_type|use_image_encoder|"
    r"use_tiling_vae|use_tae|tae_path|num_disk_workers|convert_model_dtype|rdma_buffer_slot_size|"
    r"in_dim|dim|ffn_dim|freq_dim|num_heads|num_layers|out_dim|eps|window_size|qk_norm|cross_attn_norm|"
    r"patch_size|vae_stride|num_channels_latents|clip_embed_dim|use_31_block|num_train_timesteps|use_img_emb|"
    r"coefficients|use_ret_steps|teacache_thresh|magcache_\w+|residual_diff_threshold|downsample_factor|"
    r"\w+_attn_setting|resolution_rate|changing_resolution_steps|max_area|rainfusion_\w+"
)
"""Keys about memory, machines and the shape of the network, which a model here knows itself."""
_LORA = object_of(name=text, path=file_name, strength=any_value)


def unpack_config(settings: Mapping[str, Any], given: Collection[str]) -> UnpackedPayload:
    """Translate a configuration.

    Args:
        settings: the configuration.
        given: fields that have a value from elsewhere, such as the model.

    Raises:
        RequestError: names the key that is wrong, or asks for what is not supported.
    """
    payload = UnpackedPayload(values={})
    unknown = []
    for key, value in settings.items():
        if value is None or key in _COMBINED:
            continue
        if key in _RENAMED:
            field, parse = _RENAMED[key]
            payload.set_field(field, key, parse_value(key, parse, value))
        elif not _is_without_effect(key, value, given):
            unknown.append(key)
    payload.values |= _size(settings) | _guidance(settings)
    payload.values |= _phases(settings, payload.values) | _loras(settings) | _cache(settings)
    payload.given_as |= {"loras": "lora_configs", "guidance_scale": "sample_guide_scale"}
    if settings.get("dit_quantized"):
        payload.notices.append(
            "dit_quantized: not used, --transformer-quantization quantises the weights here"
        )
    if unknown:
        payload.notices.append(unknown_keys_notice(unknown, [*_RENAMED, *_COMBINED]))
    return payload


def _is_without_effect(key: str, value: Any, given: Collection[str]) -> bool:
    """Whether a key changes nothing here; False where it is unknown.

    Raises:
        RequestError: the value asks for what is not supported.
    """
    if re.fullmatch(r"(self|cross)_attn_\d+_type", key):
        if not (isinstance(value, str) and _DENSE.fullmatch(value)):
            raise RequestError(key, f"{quote_value(value)} is not served", hint="leave it out")
        return True
    if key in _OFF:
        if value not in _OFF[key]:
            raise RequestError(key, f"{quote_value(value)} is not served", hint=f"leave {key} out")
        return True
    if _WEIGHTS.fullmatch(key):
        if value and "model" not in given:
            raise RequestError(
                key,
                f"{quote_value(value)} names weights of its own",
                hint="`wangp models add NAME FILE` adds them, then --model NAME",
            )
        return True
    return bool(_WITHOUT_EFFECT.fullmatch(key))


def _size(settings: Mapping[str, Any]) -> dict[str, Any]:
    sides = [settings.get(key) for key in ("target_width", "target_height")]
    if all(side is None for side in sides):
        return {}
    width, height = (
        parse_value(key, whole_number, settings.get(key)) for key in ("target_width", "target_height")
    )
    return {"size": f"{width}x{height}"}


def _guidance(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Guidance scales: one, or one for each of two experts; 1 where guidance is off."""
    if not parse_value("enable_cfg", boolean, settings.get("enable_cfg", True)):
        scales: list[float] = [1.0] * (2 if isinstance(settings.get("sample_guide_scale"), list) else 1)
    else:
        scales = parse_value("sample_guide_scale", list_of(number), settings.get("sample_guide_scale", []))
    if len(scales) > 2:
        raise RequestError("sample_guide_scale", f"{len(scales)} values, at most two are read")
    return dict(zip(("guidance_scale", "guidance2_scale"), scales, strict=False))


def _phases(settings: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The phases of two experts, and the sampler whose timesteps are those of a list of steps."""
    made: dict[str, Any] = {}
    steps = fields.get("steps")
    if listed := parse_value(
        "denoising_step_list", list_of(number), settings.get("denoising_step_list") or []
    ):
        steps = len(listed)
        made = {"steps": steps, "sampler": _sampler_of(listed)}
    switch = settings.get("boundary_step_index")
    if switch is not None and steps:
        count = parse_value("boundary_step_index", whole_number, switch)
        if not 0 < count < steps:
            raise RequestError("boundary_step_index", f"{count}, must be 1 to {steps - 1}")
        shift = float(fields.get("flow_shift") or 5.0)
        (threshold,) = thresholds_between(timesteps_of("unipc", steps, shift), [count, steps - count])
        return made | {"guidance_phases": 2, "switch_threshold": threshold}
    if settings.get("boundary") is not None:
        boundary = parse_value("boundary", number, settings["boundary"])
        return made | {"guidance_phases": 2, "switch_threshold": 1000 * boundary}
    return made


def _sampler_of(timesteps: Sequence[float]) -> str:
    """The sampler whose unshifted timesteps are these."""
    count = len(timesteps)
    even = [1000 - 1000 * index / count for index in range(count)]
    for sampler, usual in (("unipc", even), ("causvid", list(CAUSVID[:count]))):
        if len(usual) == count and all(abs(a - b) <= 1 for a, b in zip(timesteps, usual, strict=True)):
            return sampler
    raise RequestError(
        "denoising_step_list",
        f"{quote_value(list(timesteps))} is not served",
        hint=f"{[round(step) for step in even]} are the timesteps of {count} steps here",
    )


def _loras(settings: Mapping[str, Any]) -> dict[str, Any]:
    configs: list[dict[str, Any]] = parse_value(
        "lora_configs", list_of(_LORA), settings.get("lora_configs") or []
    )
    loras = []
    for config in configs:
        if "path" not in config:
            raise RequestError("lora_configs", "one has no path")
        strength = parse_value("lora_configs", number, config.get("strength", 1.0))
        name = config.get("name", "")
        if name and name not in _EXPERTS:
            raise RequestError("lora_configs", f"{quote_value(name)} is not one of {', '.join(_EXPERTS)}")
        loras.append(f"{config['path']}@{_EXPERTS.get(name, '{}').format(strength)}")
    return {"loras": loras} if loras else {}


def _cache(settings: Mapping[str, Any]) -> dict[str, Any]:
    if (name := settings.get("feature_caching")) is None:
        return {}
    if not isinstance(name, str) or name not in _CACHES:
        raise RequestError(
            "feature_caching", f"{quote_value(name)} is not served", hint="NoCaching, Mag and FirstBlock are"
        )
    return {"cache": _CACHES[name]} if _CACHES[name] else {}
