"""Payloads of one segment of a travel, which becomes a travel from one image to the next."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.payload import (
    NESTS,
    CombinedKey,
    Key,
    MapsTo,
    NeutralOnly,
    NoEffect,
    Parts,
    Payload,
    flatten,
)
from wangp_cli.legacy.structure_guidance import guidance
from wangp_cli.legacy.travel_payload import (
    CONTINUED,
    DEFAULTS,
    SHARED,
    WHOLE,
    check_enhanced,
    kept,
    mode,
    svi,
)
from wangp_cli.legacy.value_parsers import file_name, json_object, list_of, quote_value, text, whole_number

OWN = "individual_segment_params"
ALONE = "a segment alone has no neighbours"
IMAGES, START, END = "input_image_paths_resolved", "start_image_url", "end_image_url"
PER_SEGMENT: dict[str, Key] = {
    "segment_frames_expanded": CombinedKey(whole_number, "frames"),
    "base_prompts_expanded": CombinedKey(text, "prompt"),
    "enhanced_prompts_expanded": CombinedKey(text, "prompt"),
    "negative_prompts_expanded": CombinedKey(text, "negative_prompt"),
}
"""Keys of a travel with one value for each segment, of which that of this segment is read."""
KEYS: dict[str, Key] = {
    IMAGES: MapsTo("images", list_of(file_name)),
    "num_frames": CombinedKey(whole_number, "frames"),
    "segment_frames_target": CombinedKey(whole_number, "frames"),
    "seed_to_use": CombinedKey(whole_number, "seed"),
    "seed_base": CombinedKey(whole_number, "seed"),
    "segment_index": NoEffect(whole_number, "picks the values of the segment"),
    "enhanced_prompt": CombinedKey(text, "prompt"),
    **PER_SEGMENT,
    CONTINUED: NeutralOnly(("",), WHOLE),
    "continue_from_video_resolved_path_for_guide": NeutralOnly(("",), WHOLE),
    "frame_overlap_from_previous": NoEffect(whole_number, ALONE),
    "frame_overlap_with_next": NoEffect(whole_number, ALONE),
    "frame_overlap_expanded": NoEffect(list_of(whole_number), ALONE),
    "num_new_segments_to_generate": NoEffect(whole_number, ALONE),
    **SHARED,
}


def _pick(settings: Mapping[str, Any], *, alone: bool) -> dict[str, Any]:
    """Values of one segment: its own, else those of its task, else those of the travel it belongs to.

    Raises:
        RequestError: a part is no object, or the segment continues another task.
    """
    try:
        own = _given(json_object(settings.get(OWN) or {}))
    except ValueError as error:
        raise RequestError(OWN, str(error)) from None
    top = _given({key: value for key, value in settings.items() if key not in (*NESTS, OWN)})
    travel = flatten({nest: settings.get(nest) for nest in NESTS})
    index = top.get("segment_index", 0)
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise RequestError("segment_index", f"{quote_value(index)} is no whole number from 0 on")
    if not alone and index and mode(travel | top) != "independent":
        raise RequestError(
            "segment_index",
            f"{index} continues the segment before it, which is another task",
            hint=WHOLE,
        )
    values = travel | top | own
    values |= {key: _item(values[key], index) for key in PER_SEGMENT if key in values}
    # A prompt of the segment wins over those of its travel.
    for key, listed in (
        ("base_prompt", ("base_prompts_expanded", "enhanced_prompts_expanded")),
        ("negative_prompt", ("negative_prompts_expanded",)),
    ):
        if (own | top).get(key, ""):
            values = {name: value for name, value in values.items() if name not in listed}
    pictures = _images(own, top, travel, index)
    # A segment with images of its own continues no video.
    dropped = {START, END, *((CONTINUED,) if (own | top).keys() & {START, IMAGES} else ())}
    return {key: value for key, value in values.items() if key not in dropped} | {IMAGES: pictures}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that are there; the older worker writes a blank for a text that is not."""
    return {
        key: value
        for key, value in values.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }


def _item(values: Any, index: int) -> Any:
    """The value of a segment in a list with one for each, or with one for all; None if it has none."""
    if not isinstance(values, list) or len(values) == 1:
        return values[0] if isinstance(values, list) else values
    return values[index] if index < len(values) else None


def _images(own: Mapping[str, Any], top: Mapping[str, Any], travel: Mapping[str, Any], index: int) -> Any:
    """The first image and the last one, if there is one."""
    start, end = (own.get(key, top.get(key)) for key in (START, END))
    if end and not start:
        raise RequestError(START, "none, a segment begins with its picture")
    if start:
        return [start, end] if end else [start]
    images = own.get(IMAGES, top.get(IMAGES))
    if images is not None:
        return images[:2] if isinstance(images, list) else images
    images = travel.get(IMAGES)
    return images[index : index + 2] if isinstance(images, list) else images


def _segment(parts: Parts, notices: list[str]) -> dict[str, Any]:
    enhanced = parts.get("enhanced_prompt") or parts.get("enhanced_prompts_expanded") or ""
    check_enhanced(parts, [enhanced])
    prompt = enhanced or parts.get("base_prompts_expanded") or parts.get("base_prompt")
    return {
        "mode": mode(parts),
        "seed": parts.get("seed_to_use", parts.get("seed_base")),
        "frames": parts.get("num_frames")
        or parts.get("segment_frames_target")
        or parts.get("segment_frames_expanded"),
        "prompt": [prompt] if prompt else None,
        "negative_prompt": parts.get("negative_prompts_expanded") or parts.get("negative_prompt", ""),
        "keep_intermediates": kept(parts),
        **svi(parts),
        **guidance(parts, notices),
    }


INDIVIDUAL = Payload(
    task="travel", keys=KEYS, build=_segment, defaults=DEFAULTS, pick=partial(_pick, alone=True)
)
SEGMENT = Payload(
    task="travel", keys=KEYS, build=_segment, defaults=DEFAULTS, pick=partial(_pick, alone=False)
)
