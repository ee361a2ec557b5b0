"""Payloads that travel from picture to picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.tasks.legacy.forms import file, flag, many, number, one_of, size, text, whole
from wangp_cli.tasks.legacy.payload import Key, Only, Part, Parts, Payload, To, Told
from wangp_cli.tasks.legacy.structure import GUIDE, guidance

RESULTS = "results go below the batch's output folder"
SVI = "SVI is not served, chain_segments continues the motion by overlaps"
LATER = "do it to the result"
CONTINUED = "join the video and the travel"

SHARED: dict[str, Key] = {
    "parsed_resolution_wh": To("size", size),
    "fps_helpers": To("fps", number),
    "crossfade_sharp_amt": To("sharpen", number),
    "main_output_dir_for_run": Told(RESULTS),
    "model_type": Part(one_of("vace", "i2v"), "mode"),
    "chain_segments": Part(flag, "mode"),
    "independent_segments": Part(flag, "mode"),
    "base_prompt": Part(text, "prompt"),
    "text_before_prompts": Part(text),
    "text_after_prompts": Part(text),
    "negative_prompt": Part(text, "negative_prompt"),
    "enhance_prompt": Part(flag),
    # The length of a bar on the older program's page; num_inference_steps are those of the model.
    "steps": Part(number),
    "video_prompt_type": Only(("", "V", "VM", "M", "U", "UV", "UM", "I")),
    "image_prompt_type": Only(("", "T", "S", "SE")),
    "use_svi": Only((False,), SVI),
    "svi2pro": Only((False,), SVI),
    "svi_strength": Only((1,), SVI),
    "svi_strength_1": Only((1,), SVI),
    "svi_strength_2": Only((1,), SVI),
    "svi_predecessor_video_url": Only(("",), SVI),
    "vace_image_refs_to_prepare_by_worker": Only(([],), "travels take no reference pictures"),
    "continue_from_video_resolved_path": Only(("",), CONTINUED),
    "continue_from_video_resolved_path_for_guide": Only(("",), CONTINUED),
    "subsequent_starting_strength_adjustment": Only((0,)),
    "desaturate_subsequent_starting_frames": Only((0,)),
    "adjust_brightness_subsequent_starting_frames": Only((0,)),
    "after_first_post_generation_saturation": Only((1,)),
    "after_first_post_generation_brightness": Only((0,)),
    "consolidated_keyframe_positions": Only(([],)),
    "consolidated_end_anchor_idx": Only(()),
    "regenerate_anchors": Only((False,)),
    "upscale_factor": Only((0, 1), LATER),
    "upscale_model_name": Only(("",), LATER),
    "params_json_str_override": Only(("", "{}"), "say what it holds as keys of the payload"),
    "debug_mode_enabled": Only((False,), "intermediate files are not kept"),
    "skip_cleanup_enabled": Only((False,), "intermediate files are not kept"),
    **GUIDE,
}
"""What travels and single segments of them share."""
KEYS: dict[str, Key] = {
    "input_image_paths_resolved": To("images", many(file)),
    "num_new_segments_to_generate": Part(whole),
    "segment_frames_expanded": Part(many(whole), "frames"),
    "frame_overlap_expanded": Part(many(whole), "overlap"),
    "base_prompts_expanded": Part(many(text), "prompt"),
    "enhanced_prompts_expanded": Part(many(text), "prompt"),
    "negative_prompts_expanded": Part(many(text), "negative_prompt"),
    "seed_base": To("seed", whole),
    **SHARED,
}
DEFAULTS = {"seed": 12345, "fps": 16, "prompt": [""]}


def _travel(parts: Parts, notices: list[str]) -> dict[str, Any]:
    count = _segments(parts)
    found = guidance(parts) | {"mode": mode(parts), "frames": parts.get("segment_frames_expanded")}
    found["prompt"] = _prompts(parts, count)
    found["negative_prompt"] = _negative(parts)
    overlaps = parts.get("frame_overlap_expanded", [])
    if len(overlaps) >= count and any(overlaps[count - 1 :]):
        notices.append(
            f"frame_overlap_expanded: {count} segments have {count - 1} seams, the rest is left out"
        )
    if count > 1 and found["mode"] != "independent":
        found["overlap"] = [*overlaps, *[0] * count][: count - 1]
    return found


def _segments(parts: Parts) -> int:
    """How many segments there are; the lists that have one item for each agree."""
    lists = ("segment_frames_expanded", "base_prompts_expanded", "enhanced_prompts_expanded")
    longest = max((len(parts.get(name, ())) for name in lists), default=0)
    count: int = parts.get("num_new_segments_to_generate") or longest or 1
    for name in lists:
        given = len(parts.get(name, ()))
        if given not in (0, 1, count):
            raise RequestError(name, f"{given} values, but there are {count} segments")
    return count


def mode(parts: Mapping[str, Any]) -> str | None:
    """Whether segments continue each other, as only VACE can; None where nothing is said of it."""
    if not parts.keys() & {"chain_segments", "independent_segments", "model_type"}:
        return None
    chained = parts.get("chain_segments", not parts.get("independent_segments", False))
    return "chained" if chained and parts.get("model_type", "vace") == "vace" else "independent"


def _prompts(parts: Parts, count: int) -> list[str]:
    """What each segment is to show: its enhanced prompt, else its own, else the shared one."""
    enhanced = _spread(parts.get("enhanced_prompts_expanded"), count)
    if parts.get("enhance_prompt") and not all(enhanced):
        raise RequestError(
            "enhance_prompt",
            "True asks a language model to write prompts, which is not served",
            hint="write them into enhanced_prompts_expanded, or leave it out",
        )
    own = _spread(parts.get("base_prompts_expanded"), count)
    shared = parts.get("base_prompt", "")
    around = parts.get("text_before_prompts", ""), parts.get("text_after_prompts", "")
    chosen = [best or prompt or shared for best, prompt in zip(enhanced, own, strict=True)]
    prompts = [" ".join(filter(None, (around[0], prompt, around[1]))) for prompt in chosen]
    return prompts if any(prompts) else []


def _spread(values: Sequence[str] | None, count: int) -> list[str]:
    given = list(values or [""])
    return given * count if len(given) == 1 else given


def _negative(parts: Parts) -> str:
    shared: str = parts.get("negative_prompt", "")
    own = {prompt or shared for prompt in parts.get("negative_prompts_expanded", ())} or {shared}
    if len(own) > 1:
        raise RequestError(
            "negative_prompts_expanded",
            "differ from segment to segment, which is not served",
            hint="write one",
        )
    return own.pop()


TRAVEL = Payload(task="travel", keys=KEYS, build=_travel, defaults=DEFAULTS)
