"""Payloads of one segment of a travel, which becomes a travel from one image to the next."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.payload import NESTS, CombinedKey, Key, MapsTo, NeutralOnly, Parts, Payload, flatten
from wangp_cli.legacy.structure_guidance import guidance
from wangp_cli.legacy.travel_payload import CONTINUED, DEFAULTS, SHARED, WHOLE, kept, mode, svi
from wangp_cli.legacy.value_parsers import file_name, json_object, list_of, quote_value, whole_number

OWN = "individual_segment_params"
IMAGES, START, END = "input_image_paths_resolved", "start_image_url", "end_image_url"
PER_SEGMENT = {
    "segment_frames_expanded": "num_frames",
    "base_prompts_expanded": "base_prompt",
    "enhanced_prompts_expanded": "base_prompt",
    "negative_prompts_expanded": "negative_prompt",
}
"""Keys of a travel with one value per segment, and the key of one segment; later keys win."""
KEYS: dict[str, Key] = {
    IMAGES: MapsTo("images", list_of(file_name)),
    "num_frames": CombinedKey(whole_number, "frames"),
    "segment_frames_target": CombinedKey(whole_number, "frames"),
    "seed_to_use": CombinedKey(whole_number, "seed"),
    "seed_base": CombinedKey(whole_number, "seed"),
    "segment_index": CombinedKey(whole_number),
    CONTINUED: NeutralOnly(("",), WHOLE),
    "continue_from_video_resolved_path_for_guide": NeutralOnly(("",), WHOLE),
    # A segment alone has no neighbours.
    "frame_overlap_from_previous": CombinedKey(whole_number),
    "frame_overlap_with_next": CombinedKey(whole_number),
    "frame_overlap_expanded": CombinedKey(list_of(whole_number)),
    "num_new_segments_to_generate": CombinedKey(whole_number),
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
    shared = {key: value for key, value in travel.items() if key not in PER_SEGMENT and key != IMAGES}
    each = _given({one: _item(travel.get(listed), index) for listed, one in PER_SEGMENT.items()})
    values = shared | each | top | own
    pictures = _images(own, top, travel, index)
    # A segment with images of its own continues no video.
    dropped = {START, END, *((CONTINUED,) if (own | top).keys() & {START, IMAGES} else ())}
    return {key: value for key, value in values.items() if key not in dropped} | {IMAGES: pictures}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "")}


def _item(values: Any, index: int) -> Any:
    return values[index] if isinstance(values, list) and index < len(values) else None


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


def _segment(parts: Parts, _notices: list[str]) -> dict[str, Any]:
    prompt = parts.get("base_prompt")
    return {
        "mode": mode(parts),
        "seed": parts.get("seed_to_use", parts.get("seed_base")),
        "frames": parts.get("num_frames", parts.get("segment_frames_target")),
        "prompt": [prompt] if prompt else None,
        "negative_prompt": parts.get("negative_prompt", ""),
        "keep_intermediates": kept(parts),
        **svi(parts),
        **guidance(parts),
    }


INDIVIDUAL = Payload(
    task="travel", keys=KEYS, build=_segment, defaults=DEFAULTS, pick=partial(_pick, alone=True)
)
SEGMENT = Payload(
    task="travel", keys=KEYS, build=_segment, defaults=DEFAULTS, pick=partial(_pick, alone=False)
)
