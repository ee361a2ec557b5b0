"""Payloads of the older worker that join clips."""

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
JOIN_SETTINGS = object_of(
    prompt=text,
    negative_prompt=text,
    gap_frame_count=whole_number,
    context_frame_count=whole_number,
    replace_mode=boolean,
)
"""Keys of the settings of one join."""
SIZE_KEYS: dict[str, Key] = {
    "resolution": CombinedKey(size, "size"),
    "use_input_video_resolution": CombinedKey(boolean),
    "fps": CombinedKey(number, "fps"),
    "use_input_video_fps": CombinedKey(boolean),
    "aspect_ratio": CombinedKey(text),
}
"""Keys for size and frame rate."""
SHARED_JOIN_KEYS: dict[str, Key] = {
    **SIZE_KEYS,
    "gap_frame_count": CombinedKey(whole_number, "gap"),
    "context_frame_count": CombinedKey(whole_number, "context"),
    "prompt": CombinedKey(text, "prompt"),
    "negative_prompt": CombinedKey(text, "negative_prompt"),
    "per_join_settings": CombinedKey(list_of(JOIN_SETTINGS)),
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
"""Keys that joins and edits share."""


def size_and_rate(parts: Parts, notices: list[str]) -> dict[str, Any]:
    """Size and frame rate: as given, or those of the input video."""
    fields: dict[str, Any] = {}
    if "resolution" in parts and not parts.get("use_input_video_resolution"):
        fields["size"] = parts["resolution"]
    fields["fps"] = "source" if parts.get("use_input_video_fps") else parts.get("fps")
    for name in ("resolution", "fps"):
        if name in parts and parts.get(switch := f"use_input_video_{name}"):
            notices.append(f"{name}: not used, {switch} is on")
    if parts.get("aspect_ratio"):
        if "size" not in fields:
            raise RequestError(
                "aspect_ratio",
                f"{quote_value(parts['aspect_ratio'])} without a resolution",
                hint="give resolution",
            )
        notices.append("aspect_ratio: the resolution decides the shape, clips are cropped to it")
    return fields


def value_per_join(parts: Parts, name: str, count: int) -> list[Any]:
    """The value of a key for each of `count` joins; None where it is not given."""
    own = parts.get("per_join_settings", [])
    if len(own) > count:
        raise RequestError("per_join_settings", f"{len(own)} given, but there are {count} joins")
    values = [one.get(name) for one in own] + [None] * (count - len(own))
    return [parts.get(name) if value is None else value for value in values]


def with_default(values: Sequence[Any], default: Any) -> list[Any]:
    """Replace None by a default; an empty list if all values are None."""
    if all(value is None for value in values):
        return []
    return [default if value is None else value for value in values]


def _join(parts: Parts, notices: list[str]) -> dict[str, Any]:
    clips = [clip["url"] for clip in parts.get("clip_list", [])]
    joins = max(len(clips) - 1, 1)
    replaces = with_default(value_per_join(parts, "replace_mode", joins), default=False)
    return size_and_rate(parts, notices) | {
        "clips": clips,
        "fit": "crop",
        "mode": ["replace" if one else "insert" for one in replaces],
        "denoising_strength": _denoising_strength(parts, replaces, notices),
        "gap": with_default(value_per_join(parts, "gap_frame_count", joins), 53),
        "context": with_default(value_per_join(parts, "context_frame_count", joins), 8),
        "prompt": with_default(value_per_join(parts, "prompt", joins), UNPROMPTED),
        "negative_prompt": with_default(value_per_join(parts, "negative_prompt", joins), ""),
    }


def _denoising_strength(parts: Parts, replaces: Sequence[bool], notices: list[str]) -> float | None:
    """The strength of a start from the replaced frames; None where no frames are replaced."""
    strength: float | None = parts.get("vid2vid_init_strength")
    if strength is not None and not any(replaces):
        notices.append("vid2vid_init_strength: not used, no frames are replaced")
        return None
    return strength


def _clip(value: Any) -> dict[str, str]:
    clip = object_of(url=file_name, name=text)(value)
    if "url" not in clip:
        raise ValueError("has no url")
    return clip


JOIN = Payload(
    task="join",
    keys=SHARED_JOIN_KEYS
    | {
        "clip_list": CombinedKey(list_of(_clip), "clips"),
        "loop_first_clip": NeutralOnly((False,), "reverse the clip, and name the result as the second one"),
    },
    build=_join,
    defaults=DEFAULTS,
    model=MODEL,
)


def _join_segment(parts: Parts, notices: list[str]) -> dict[str, Any]:
    ends = ("starting_video_path", "ending_video_path")
    for name in ends:
        if name not in parts:
            raise RequestError(
                name,
                "none, so it is the result of another task",
                hint="name the file, or give the join_clips_orchestrator as a whole",
            )
    return _join(parts | {"clip_list": [{"url": parts[name]} for name in ends]}, notices)


JOIN_SEGMENT = Payload(
    task="join",
    keys=SHARED_JOIN_KEYS
    | {
        "starting_video_path": CombinedKey(file_name, "clips"),
        "ending_video_path": CombinedKey(file_name, "clips"),
    },
    build=_join_segment,
    defaults=DEFAULTS,
    model=MODEL,
)
