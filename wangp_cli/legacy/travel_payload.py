"""Payloads of the older worker that travel from image to image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from wangp_cli.errors import RequestError
from wangp_cli.legacy.payload import (
    CombinedKey,
    IgnoredWithNotice,
    Key,
    MapsTo,
    NeutralOnly,
    NoEffect,
    Parts,
    Payload,
)
from wangp_cli.legacy.structure_guidance import GUIDE_KEYS, guidance
from wangp_cli.legacy.value_parsers import (
    MAX_ITEMS,
    boolean,
    file_name,
    list_of,
    number,
    one_of,
    size,
    text,
    whole_number,
)

RESULTS = "results go below the batch's output folder"
WHOLE = "give the travel_orchestrator as a whole"
SVI_STRENGTHS = (("svi_strength_1", "{:.2g};0"), ("svi_strength_2", "0;{:.2g}")) * 2
"""The key of the strength of each LoRA of the accelerator svi, and its strengths by phase as a format."""
SVI_DEFAULTS = (1, 1, 1.2, 1)
LATER = "do it to the result"
CONTINUED = "continue_from_video_resolved_path"
T = TypeVar("T")


def _strength(value: Any) -> float:
    return min(max(1 + number(value), 0), 1)


def _upsampling(value: Any) -> str:
    """A factor; an empty text for 0 and 1, which ask for nothing."""
    return f"{number(value):g}" if number(value) not in (0, 1) else ""


def kept(parts: Parts) -> bool | None:
    """Whether intermediate files are kept; None if that is not given."""
    return parts.get("debug_mode_enabled") or parts.get("skip_cleanup_enabled") or None


SHARED: dict[str, Key] = {
    "parsed_resolution_wh": MapsTo("size", size),
    "fps_helpers": MapsTo("fps", number),
    "crossfade_sharp_amt": MapsTo("sharpen", number),
    "main_output_dir_for_run": IgnoredWithNotice(RESULTS),
    "model_type": CombinedKey(one_of("vace", "i2v"), "mode"),
    "chain_segments": CombinedKey(boolean, "mode"),
    "independent_segments": CombinedKey(boolean, "mode"),
    "base_prompt": CombinedKey(text, "prompt"),
    "text_before_prompts": MapsTo("text_before", text),
    "text_after_prompts": MapsTo("text_after", text),
    "negative_prompt": CombinedKey(text, "negative_prompt"),
    "enhance_prompt": CombinedKey(boolean),
    "steps": NoEffect(number, "a slider of the older program; num_inference_steps are those of the model"),
    "additional_loras": IgnoredWithNotice(
        "the older worker leaves them out of travels; name LoRAs in activated_loras or phase_config"
    ),
    "video_prompt_type": NeutralOnly(("", "V", "VM", "M", "U", "UV", "UM", "I")),
    "image_prompt_type": NeutralOnly(("", "T", "S", "SE")),
    "use_svi": CombinedKey(boolean, "mode"),
    "svi2pro": CombinedKey(boolean, "mode"),
    "svi_strength": CombinedKey(number, "lora_multipliers"),
    "svi_strength_1": CombinedKey(number),
    "svi_strength_2": CombinedKey(number),
    "svi_predecessor_video_url": NeutralOnly(("",), WHOLE),
    "vace_image_refs_to_prepare_by_worker": NeutralOnly(([],), "travels take no reference pictures"),
    "subsequent_starting_strength_adjustment": MapsTo("context_strength", _strength),
    "desaturate_subsequent_starting_frames": MapsTo("context_saturation", lambda value: 1 - number(value)),
    # The older worker darkens these frames at values above 0.
    "adjust_brightness_subsequent_starting_frames": MapsTo(
        "context_brightness", lambda value: -number(value)
    ),
    "after_first_post_generation_saturation": MapsTo("part_saturation", number),
    "after_first_post_generation_brightness": MapsTo("part_brightness", number),
    "consolidated_keyframe_positions": NeutralOnly(([],)),
    "consolidated_end_anchor_idx": NeutralOnly(()),
    "regenerate_anchors": NeutralOnly((False,)),
    "upscale_factor": MapsTo("spatial_upsampling", _upsampling),
    "upscale_model_name": NeutralOnly(("",), LATER),
    "params_json_str_override": NeutralOnly(("", "{}"), "say what it holds as keys of the payload"),
    "debug_mode_enabled": CombinedKey(boolean, "keep_intermediates"),
    "skip_cleanup_enabled": CombinedKey(boolean, "keep_intermediates"),
    **GUIDE_KEYS,
}
"""Keys that travels and single segments share."""
KEYS: dict[str, Key] = {
    "input_image_paths_resolved": CombinedKey(list_of(file_name), "images"),
    "num_new_segments_to_generate": CombinedKey(whole_number),
    "segment_frames_expanded": CombinedKey(list_of(whole_number), "frames"),
    "frame_overlap_expanded": CombinedKey(list_of(whole_number), "overlap"),
    "base_prompts_expanded": CombinedKey(list_of(text), "prompt"),
    "enhanced_prompts_expanded": CombinedKey(list_of(text), "prompt"),
    "negative_prompts_expanded": CombinedKey(list_of(text), "negative_prompt"),
    "seed_base": MapsTo("seed", whole_number),
    CONTINUED: CombinedKey(text, "video_source"),
    **SHARED,
}
PER_SEGMENT = (
    "segment_frames_expanded",
    "base_prompts_expanded",
    "enhanced_prompts_expanded",
    "negative_prompts_expanded",
)
DEFAULTS = {"seed": 12345, "fps": 16, "prompt": [""]}


def _travel(parts: Parts, notices: list[str]) -> dict[str, Any]:
    count = _segments(parts)
    frames = _spread(parts.get("segment_frames_expanded", []), count)
    overlaps = parts.get("frame_overlap_expanded", [])
    fields = guidance(parts, notices, frames, overlaps) | {
        "mode": mode(parts),
        "images": parts.get("input_image_paths_resolved"),
        "video_source": parts.get(CONTINUED),
        "frames": frames,
        "prompt": _prompts(parts, count),
        "negative_prompt": _negative(parts, count),
        "keep_intermediates": kept(parts),
        **svi(parts),
    }
    if fields["mode"] not in ("independent", "svi"):
        # A continued video overlaps the first segment as the first two segments overlap.
        seams = [*(overlaps[:1] if fields["video_source"] else []), *overlaps]
        wanted = count - 1 + bool(fields["video_source"])
        fields["overlap"] = [*seams, *[0] * wanted][:wanted]
        if any(seams[wanted:]):
            notices.append(f"frame_overlap_expanded: there are {wanted} seams, the rest is left out")
    return fields


def _segments(parts: Parts) -> int:
    """The number of segments, on which all lists must agree.

    Raises:
        RequestError: they disagree, or there are too many.
    """
    continued = bool(parts.get(CONTINUED))
    images = len(parts.get("input_image_paths_resolved", ()))
    given = {name: len(parts.get(name, ())) for name in PER_SEGMENT}
    count: int = parts.get("num_new_segments_to_generate") or max(*given.values(), images - 1 + continued, 1)
    if count > MAX_ITEMS:
        raise RequestError("num_new_segments_to_generate", f"{count}, at most {MAX_ITEMS} are made")
    for name, several in given.items():
        if several not in (0, 1, count):
            raise RequestError(name, f"{several} values, but there are {count} segments")
    if images > 1 and images != count + 1 - continued:
        raise RequestError(
            "input_image_paths_resolved",
            f"{images} pictures, but {count} segments {'behind a video ' if continued else ''}have "
            f"{count + 1 - continued}",
        )
    return count


def mode(parts: Mapping[str, Any]) -> str | None:
    """The mode of a travel; None if no key gives it. Without SVI, only VACE continues segments."""
    if uses_svi(parts):
        return "svi"
    if not parts.keys() & {"chain_segments", "independent_segments", "model_type"}:
        return None
    chained = parts.get("chain_segments", not parts.get("independent_segments", False))
    return "chained" if chained and parts.get("model_type", "vace") == "vace" else "independent"


def uses_svi(parts: Mapping[str, Any]) -> bool:
    """Whether the segments are made by Stable Video Infinity."""
    return bool(parts.get("use_svi") or parts.get("svi2pro"))


def svi(parts: Parts) -> dict[str, Any]:
    """The accelerator svi with the given strengths, if it is used."""
    if not uses_svi(parts):
        return {}
    both: float = parts.get("svi_strength", 1)
    each: list[float] = [parts.get(name, both) for name, _ in SVI_STRENGTHS]
    numbers = (
        parse.format(usual * strength)
        for usual, strength, (_, parse) in zip(SVI_DEFAULTS, each, SVI_STRENGTHS, strict=True)
    )
    scaled = any(strength != 1 for strength in each)
    return {"accelerator": "svi", "lora_multipliers": f"{' '.join(numbers)} |" if scaled else None}


def _prompts(parts: Parts, count: int) -> list[str]:
    """The prompt of each segment: its enhanced prompt, else its own, else the shared one."""
    enhanced = _spread(parts.get("enhanced_prompts_expanded", []), count) or [""] * count
    check_enhanced(parts, enhanced)
    own = _spread(parts.get("base_prompts_expanded", []), count) or [""] * count
    shared = parts.get("base_prompt", "")
    prompts = [best or prompt or shared for best, prompt in zip(enhanced, own, strict=True)]
    return prompts if any(prompts) else []


def check_enhanced(parts: Parts, enhanced: Sequence[str]) -> None:
    """Refuse prompts that a language model is still to write.

    Raises:
        RequestError: one of the enhanced prompts is blank.
    """
    if parts.get("enhance_prompt") and not all(enhanced):
        raise RequestError(
            "enhance_prompt",
            "True asks a language model to write prompts, which is not served",
            hint="write them into enhanced_prompts_expanded, or leave it out",
        )


def _negative(parts: Parts, count: int) -> list[str]:
    shared = parts.get("negative_prompt", "")
    own = _spread(parts.get("negative_prompts_expanded", []), count) or [shared]
    prompts = [prompt or shared for prompt in own]
    return prompts if any(prompts) else []


def _spread(values: list[T], count: int) -> list[T]:
    return values * count if len(values) == 1 else values


TRAVEL = Payload(task="travel", keys=KEYS, build=_travel, defaults=DEFAULTS)
