"""Payloads that join clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.forms import entry, file, flag, many, number, short, size, text, whole
from wangp_cli.legacy.payload import Key, Only, Part, Parts, Payload, To, Told
from wangp_cli.legacy.travel import RESULTS
from wangp_cli.tasks.planned import UNPROMPTED

DEFAULTS = {"fps": 16}
MODEL = "wan_2_2_vace_lightning_baseline_2_2_2"
ALONE = entry(
    prompt=text,
    negative_prompt=text,
    gap_frame_count=whole,
    context_frame_count=whole,
    replace_mode=flag,
)
"""What one join may say for itself."""
SHAPE: dict[str, Key] = {
    "resolution": Part(size, "size"),
    "use_input_video_resolution": Part(flag),
    "fps": Part(number, "fps"),
    "use_input_video_fps": Part(flag),
    "aspect_ratio": Part(text),
}
"""How large the result is, and how fast it plays."""
SHARED: dict[str, Key] = {
    **SHAPE,
    "gap_frame_count": Part(whole, "gap"),
    "context_frame_count": Part(whole, "context"),
    "prompt": Part(text, "prompt"),
    "negative_prompt": Part(text, "negative_prompt"),
    "per_join_settings": Part(many(ALONE)),
    "replace_mode": Part(flag, "mode"),
    "keep_bridging_images": To("bridging", flag),
    "output_base_dir": Told(RESULTS),
    "join_output_dir": Told(RESULTS),
    "enhance_prompt": Only((False,), "write prompts, or leave it out"),
    "vid2vid_init_strength": Part(number, "denoising_strength"),
    "latent_noise_mask_strength": Only((0,)),
    "audio_url": Only(("",)),
    "video_prompt_type": Only(("", "VM")),
}
"""What joins and edits say of the frames between."""


def shape(parts: Parts, notices: list[str]) -> dict[str, Any]:
    """Size and rate: as said, or those of the video."""
    found: dict[str, Any] = {}
    if "resolution" in parts and not parts.get("use_input_video_resolution"):
        found["size"] = parts["resolution"]
    found["fps"] = "source" if parts.get("use_input_video_fps") else parts.get("fps")
    if parts.get("aspect_ratio"):
        if "size" not in found:
            raise RequestError(
                "aspect_ratio", f"{short(parts['aspect_ratio'])} without a resolution", hint="give resolution"
            )
        notices.append("aspect_ratio: the resolution decides the shape, clips are cropped to it")
    return found


def of_each(parts: Parts, name: str, count: int) -> list[Any]:
    """What is said of each of `count` joins; None where nothing is."""
    own = parts.get("per_join_settings", [])
    if len(own) > count:
        raise RequestError("per_join_settings", f"{len(own)} given, but there are {count} joins")
    said = [one.get(name) for one in own] + [None] * (count - len(own))
    return [parts.get(name) if value is None else value for value in said]


def filled(values: Sequence[Any], default: Any) -> list[Any]:
    """The same with a default for what is not said; nothing if nothing is said at all."""
    if all(value is None for value in values):
        return []
    return [default if value is None else value for value in values]


def _join(parts: Parts, notices: list[str]) -> dict[str, Any]:
    clips = [clip["url"] for clip in parts.get("clip_list", [])]
    joins = max(len(clips) - 1, 1)
    replaces = filled(of_each(parts, "replace_mode", joins), default=False)
    return shape(parts, notices) | {
        "clips": clips,
        "fit": "crop",
        "mode": ["replace" if one else "insert" for one in replaces],
        "denoising_strength": parts.get("vid2vid_init_strength") if any(replaces) else None,
        "gap": filled(of_each(parts, "gap_frame_count", joins), 53),
        "context": filled(of_each(parts, "context_frame_count", joins), 8),
        "prompt": filled(of_each(parts, "prompt", joins), UNPROMPTED),
        "negative_prompt": filled(of_each(parts, "negative_prompt", joins), ""),
    }


def _clip(value: Any) -> dict[str, str]:
    clip = entry(url=file, name=text)(value)
    if "url" not in clip:
        raise ValueError("has no url")
    return clip


JOIN = Payload(
    task="join",
    keys=SHARED
    | {
        "clip_list": Part(many(_clip), "clips"),
        "loop_first_clip": Only((False,), "reverse the clip, and name the result as the second one"),
    },
    build=_join,
    defaults=DEFAULTS,
    model=MODEL,
)


def _pair(parts: Parts, notices: list[str]) -> dict[str, Any]:
    ends = ("starting_video_path", "ending_video_path")
    for name in ends:
        if name not in parts:
            raise RequestError(
                name,
                "none, so it is the result of another task",
                hint="name the file, or give the join_clips_orchestrator as a whole",
            )
    return _join(parts | {"clip_list": [{"url": parts[name]} for name in ends]}, notices)


PAIR = Payload(
    task="join",
    keys=SHARED | {"starting_video_path": Part(file, "clips"), "ending_video_path": Part(file, "clips")},
    build=_pair,
    defaults=DEFAULTS,
    model=MODEL,
)
