"""Payloads of the older worker that regenerate portions of a video, or inpaint a range of frames."""

from __future__ import annotations

from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.join_payload import (
    MODEL,
    SHARED_JOIN_KEYS,
    SIZE_KEYS,
    size_and_rate,
    value_per_join,
    with_default,
)
from wangp_cli.legacy.payload import CombinedKey, MapsTo, NeutralOnly, NoEffect, Parts, Payload
from wangp_cli.legacy.value_parsers import boolean, file_name, list_of, number, object_of, text, whole_number
from wangp_cli.tasks.planned import UNPROMPTED


def _edit(parts: Parts, notices: list[str]) -> dict[str, Any]:
    portions = parts.get("portions_to_regenerate", [])
    keep_ends = parts.get("replace_mode", False)
    shared = value_per_join(parts, "gap_frame_count", len(portions))
    gaps = [portion.get("gap_frame_count", gap) for portion, gap in zip(portions, shared, strict=True)]
    lengths = [max(one["end_frame"] - one["start_frame"] + 1 - 2 * keep_ends, 0) for one in portions]
    return size_and_rate({"fps": parts.get("source_video_fps")} | parts, notices) | {
        "portions": [_named(portion) for portion in portions],
        "keep_ends": keep_ends,
        "gap": [length if gap is None else gap for gap, length in zip(gaps, lengths, strict=True)]
        if any(gap is not None for gap in gaps)
        else [],
        "context": parts.get("context_frame_count"),
        "prompt": with_default(value_per_join(parts, "prompt", len(portions)), UNPROMPTED),
        "negative_prompt": with_default(value_per_join(parts, "negative_prompt", len(portions)), ""),
    }


def _named(portion: dict[str, Any]) -> str:
    prompt = f":{portion['prompt']}" if portion.get("prompt") else ""
    return f"{portion['start_frame']}-{portion['end_frame']}{prompt}"


PORTION = object_of(
    # The same in seconds; the older worker only compares them with the frames.
    frozenset({"start_time", "end_time", "start_time_seconds", "end_time_seconds", "frame_count", "name"}),
    start_frame=whole_number,
    end_frame=whole_number,
    prompt=text,
    gap_frame_count=whole_number,
)


def _portion(value: Any) -> dict[str, Any]:
    portion = PORTION(value)
    for key in ("start_frame", "end_frame"):
        if key not in portion:
            raise ValueError(f"has no {key}")
    return portion


EDIT = Payload(
    task="edit",
    keys=SHARED_JOIN_KEYS
    | {
        "source_video_url": MapsTo("video", file_name),
        "source_video_fps": CombinedKey(number, "fps"),
        "source_video_total_frames": NoEffect(whole_number, "the video itself is counted"),
        "portions_to_regenerate": CombinedKey(list_of(_portion), "portions"),
        "per_join_settings": CombinedKey(
            list_of(object_of(prompt=text, negative_prompt=text, gap_frame_count=whole_number)), "prompt"
        ),
        "replace_mode": CombinedKey(boolean, "keep_ends"),
        "keep_bridging_images": NeutralOnly((False,)),
        "vid2vid_init_strength": NeutralOnly((1,)),
    },
    build=_edit,
    model=MODEL,
)


def _inpaint(parts: Parts, notices: list[str]) -> dict[str, Any]:
    start, end = parts.get("inpaint_start_frame", 0), parts.get("inpaint_end_frame", 0)
    if end <= start:
        raise RequestError("inpaint_end_frame", f"{end}, must be more than inpaint_start_frame, {start}")
    return size_and_rate(parts, notices) | {"portion": f"{start}-{end - 1}"}


INPAINT = Payload(
    task="inpaint",
    keys=SIZE_KEYS
    | {
        "video_path": MapsTo("video", file_name),
        "inpaint_start_frame": CombinedKey(whole_number, "portion"),
        "inpaint_end_frame": CombinedKey(whole_number, "portion"),
        "context_frame_count": MapsTo("context", whole_number),
        "vid2vid_init_strength": MapsTo("denoising_strength", number),
        "video_prompt_type": NeutralOnly(("", "VM")),
    },
    build=_inpaint,
    model=MODEL,
    defaults={"prompt": [""]},
)
