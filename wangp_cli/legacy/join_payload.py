"""Payloads that join clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.payload import CombinedKey, IgnoredWithNotice, Key, MapsTo, NeutralOnly, Parts, Payload
from wangp_cli.legacy.travel_payload import RESULTS
from wangp_cli.legacy.value_parsers import (
    boolean,
    file_name,
    list_of,
    number,
    object_of,
    quote_value,
    size,
    text,
    whole_number,
)
from wangp_cli.tasks.planned import UNPROMPTED

DEFAULTS = {"fps": 16}
MODEL = "wan_2_2_vace_lightning_baseline_2_2_2"
ALONE = object_of(
    prompt=text,
    negative_prompt=text,
    gap_frame_count=whole_number,
    context_frame_count=whole_number,
    replace_mode=boolean,
)
"""What one join may say for itself."""
SHAPE: dict[str, Key] = {
    "resolution": CombinedKey(size, "size"),
    "use_input_video_resolution": CombinedKey(boolean),
    "fps": CombinedKey(number, "fps"),
    "use_input_video_fps": CombinedKey(boolean),
    "aspect_ratio": CombinedKey(text),
}
"""How large the result is, and how fast it plays."""
SHARED: dict[str, Key] = {
    **SHAPE,
    "gap_frame_count": CombinedKey(whole_number, "gap"),
    "context_frame_count": CombinedKey(whole_number, "context"),
    "prompt": CombinedKey(text, "prompt"),
    "negative_prompt": CombinedKey(text, "negative_prompt"),
    "per_join_settings": CombinedKey(list_of(ALONE)),
    "replace_mode": CombinedKey(boolean, "mode"),
    "keep_bridging_images": MapsTo("bridging", boolean),
    "output_base_dir": IgnoredWithNotice(RESULTS),
    "join_output_dir": IgnoredWithNotice(RESULTS),
    "enhance_prompt": NeutralOnly((False,), "write prompts, or leave it out"),
    "vid2vid_init_strength": CombinedKey(number, "denoising_strength"),
    "latent_noise_mask_strength": NeutralOnly((0,)),
    "audio_url": NeutralOnly(("",)),
    "video_prompt_type": NeutralOnly(("", "VM")),
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
                "aspect_ratio",
                f"{quote_value(parts['aspect_ratio'])} without a resolution",
                hint="give resolution",
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
    clip = object_of(url=file_name, name=text)(value)
    if "url" not in clip:
        raise ValueError("has no url")
    return clip


JOIN = Payload(
    task="join",
    keys=SHARED
    | {
        "clip_list": CombinedKey(list_of(_clip), "clips"),
        "loop_first_clip": NeutralOnly((False,), "reverse the clip, and name the result as the second one"),
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
    keys=SHARED
    | {
        "starting_video_path": CombinedKey(file_name, "clips"),
        "ending_video_path": CombinedKey(file_name, "clips"),
    },
    build=_pair,
    defaults=DEFAULTS,
    model=MODEL,
)
