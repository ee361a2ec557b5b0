"""Translate the older worker's keys for control videos of a travel (structure guidance)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.payload import CombinedKey, Key, NoEffect, Parts
from wangp_cli.legacy.value_parsers import (
    any_value,
    boolean,
    file_name,
    list_of,
    number,
    object_of,
    one_of,
    quote_value,
    text,
    whole_number,
)
from wangp_cli.tasks.control_pictures import MAX_FACTOR
from wangp_cli.tasks.fields import MAX_FRAMES

GUIDE_KINDS = {"raw": "raw", "none": "raw", "canny": "canny", "flow": "flow", "depth": "depth"}
"""`guide_kind` by the older worker's preprocessing."""
VIDEO = object_of(
    path=file_name,
    start_frame=whole_number,
    end_frame=whole_number,
    treatment=one_of("adjust", "clip"),
    source_start_frame=whole_number,
    source_end_frame=whole_number,
    structure_type=text,
    type=text,
    motion_strength=number,
)
SOURCE = "names the video that another one was made of"
STRENGTH_KEYS = {
    "strength": "structure_video_motion_strength",
    "canny_intensity": "structure_canny_intensity",
    "depth_contrast": "structure_depth_contrast",
}
"""The older flat key of each strength in a block."""
STRENGTH_KINDS = {"strength": "flow", "canny_intensity": "canny", "depth_contrast": "depth"}
"""The kind of guide that each strength has an effect on; a `motion_strength` of a video is a `strength`."""
UNI3C = "needs use_uni3c, which is not served in a travel"
GUIDE_BLOCK = object_of(
    # For Uni3C, which is not served in a travel; and where a guidance video came from.
    frozenset({"zero_empty_frames", "keep_on_gpu", "_original_video_url", "_trimmed_video_url"}),
    videos=list_of(VIDEO),
    target=one_of("vace", "uni3c"),
    preprocessing=text,
    strength=number,
    canny_intensity=number,
    depth_contrast=number,
    step_window=list_of(number),
    frame_policy=one_of("fit", "trim", "loop", "off"),
    _guidance_video_url=text,
    _frame_offset=whole_number,
)
GUIDE_KEYS: dict[str, Key] = {
    "structure_guidance": CombinedKey(GUIDE_BLOCK, "video_guide"),
    "structure_videos": CombinedKey(list_of(VIDEO), "guide_range"),
    "structure_video_path": CombinedKey(text, "video_guide"),
    "structure_video_treatment": CombinedKey(one_of("adjust", "clip"), "guide_timing"),
    "structure_type": CombinedKey(text, "guide_kind"),
    "structure_video_type": CombinedKey(text, "guide_kind"),
    "structure_guidance_video_url": CombinedKey(text, "video_guide"),
    "structure_motion_video_url": CombinedKey(text, "video_guide"),
    "structure_guidance_frame_offset": CombinedKey(whole_number),
    "structure_motion_frame_offset": CombinedKey(whole_number),
    "structure_canny_intensity": CombinedKey(number, "canny_intensity"),
    "structure_video_motion_strength": CombinedKey(number, "motion_strength"),
    "structure_depth_contrast": CombinedKey(number, "depth_contrast"),
    "structure_original_video_url": NoEffect(any_value, SOURCE),
    "structure_trimmed_video_url": NoEffect(any_value, SOURCE),
    "use_uni3c": CombinedKey(boolean),
    "uni3c_guide_video": NoEffect(any_value, UNI3C),
    "uni3c_strength": NoEffect(number, UNI3C),
    "uni3c_start_percent": NoEffect(number, UNI3C),
    "uni3c_end_percent": NoEffect(number, UNI3C),
    "uni3c_frame_policy": NoEffect(any_value, UNI3C),
    "uni3c_zero_empty_frames": NoEffect(boolean, UNI3C),
    "uni3c_keep_on_gpu": NoEffect(boolean, UNI3C),
    "uni3c_blackout_last_frame": NoEffect(boolean, UNI3C),
    "uni3c_guidance_frame_offset": NoEffect(whole_number, UNI3C),
}
"""All keys for control videos."""


def guidance(
    parts: Parts, notices: list[str], frames: Sequence[int] = (), overlaps: Sequence[int] = ()
) -> dict[str, Any]:
    """The control videos of a travel.

    Args:
        parts: values of combined keys.
        notices: gets a line for each value that is not used.
        frames: of each segment; empty for a segment alone.
        overlaps: of each seam, in frames.

    Raises:
        RequestError: names the key that is unsupported.
    """
    if parts.get("use_uni3c"):
        raise RequestError(
            "use_uni3c", "True is not served", hint="generate with model uni3c and a video_guide"
        )
    flat = _block_of_flat_keys(parts)
    block = parts.get("structure_guidance") or flat
    if block is not flat and (flat["videos"] or flat["_guidance_video_url"]):
        notices.append("structure_videos: not used, structure_guidance says what they would")
    made = block.get("_guidance_video_url")
    if not made and not block.get("videos"):
        return {}
    key = "structure_guidance" if parts.get("structure_guidance") else "structure_type"
    if block.get("target") == "uni3c":
        raise RequestError(key, "'uni3c' is not served", hint="generate with model uni3c and a video_guide")
    fields = _window(block) | ({"video_guide": [made]} if made else _videos(block, key, frames, overlaps))
    if not made:
        notices += _unused_strengths(block, key, fields["guide_kind"])
        fields |= _strengths(block, key, fields["guide_kind"])
    if made:
        # The video is of the whole travel; a segment would need a part of it.
        if first := block.get("_frame_offset", 0):
            raise RequestError(
                key, f"_frame_offset: {first} is not served", hint="give the travel as a whole"
            )
        return fields | {"guide_timing": "trim"}
    return fields


def _block_of_flat_keys(parts: Parts) -> dict[str, Any]:
    """The older flat keys as a `structure_guidance` block, which replaced them."""
    videos = parts.get("structure_videos") or []
    if not videos and (path := parts.get("structure_video_path")):
        videos = [{"path": path, "treatment": parts.get("structure_video_treatment", "adjust")}]
    own = next((kind for one in videos for name in ("structure_type", "type") if (kind := one.get(name))), "")
    kind = parts.get("structure_type") or parts.get("structure_video_type") or own or "flow"
    made = parts.get("structure_guidance_video_url") or parts.get("structure_motion_video_url")
    offset = parts.get("structure_guidance_frame_offset") or parts.get("structure_motion_frame_offset") or 0
    return {
        "videos": videos,
        "preprocessing": kind,
        "target": "uni3c" if kind == "uni3c" else "vace",
        **{name: parts.get(key, 1) for name, key in STRENGTH_KEYS.items()},
        "_guidance_video_url": made,
        "_frame_offset": offset,
    }


def _unused_strengths(block: dict[str, Any], key: str, kind: str) -> list[str]:
    """A notice for each strength that has no effect on the kind of guide.

    Raises:
        RequestError: a strength is out of range.
    """
    flat = key != "structure_guidance"
    strengths = [
        (STRENGTH_KEYS[name] if flat else key, name, STRENGTH_KINDS[name], block.get(name, 1))
        for name in STRENGTH_KEYS
    ]
    strengths += [
        ("structure_videos" if flat else key, "motion_strength", "flow", one.get("motion_strength", 1))
        for one in block["videos"]
    ]
    for name, part, _, value in strengths:
        if value < 0:
            raise RequestError(name, f"{part}: {value}, must be 0 or more")
        if value > MAX_FACTOR:
            raise RequestError(name, f"{part}: {value}, must be {MAX_FACTOR} or less")
    unused = dict.fromkeys(
        f"{name}: {part} {value} is not used, it has no effect on this kind of guide"
        for name, part, used_by, value in strengths
        if value != 1 and used_by != kind
    )
    return list(unused)


def _strengths(block: dict[str, Any], key: str, kind: str) -> dict[str, Any]:
    """The field of the strength that has an effect on the kind of guide, if it is not 1.

    Raises:
        RequestError: the videos have different ones.
    """
    usual = block.get("strength", 1)
    motion = {one.get("motion_strength", usual) for one in block["videos"]}
    if kind == "flow" and len(motion) > 1:
        listed = " and ".join(map(str, sorted(motion)))
        raise RequestError(key, f"motion_strength: {listed} are not served together, give one for all videos")
    fields = {
        "flow": {"motion_strength": max(motion)},
        "canny": {"canny_intensity": block.get("canny_intensity", 1)},
        "depth": {"depth_contrast": block.get("depth_contrast", 1)},
    }.get(kind, {})
    return {name: value for name, value in fields.items() if value != 1}


def _window(block: dict[str, Any]) -> dict[str, Any]:
    """The share of the steps in which a control video has effect."""
    window = block.get("step_window", [0, 1])
    if len(window) != 2:
        raise RequestError("structure_guidance", f"step_window: {quote_value(window)} is not [start, end]")
    names = ("control_start", "control_end")
    return {name: value for name, value, usual in zip(names, window, (0, 1), strict=True) if value != usual}


def _videos(
    block: dict[str, Any], key: str, frames: Sequence[int], overlaps: Sequence[int]
) -> dict[str, Any]:
    kind = block.get("preprocessing", "flow")
    kinds = {one.get("structure_type") or one.get("type") or kind for one in block["videos"]}
    if len(kinds) > 1 or (kind := kinds.pop()) not in GUIDE_KINDS:
        asked = " and ".join(map(repr, sorted(kinds))) if kinds else repr(kind)
        served = ", ".join(dict.fromkeys(GUIDE_KINDS.values()))
        raise RequestError(key, f"{asked} is not served", hint=f"{served} are, one for all videos")
    for place, one in enumerate(block["videos"]):
        if "path" not in one:
            raise RequestError(key, f"video {place} has no path, name a file")
    timings = {one.get("treatment", "adjust") for one in block["videos"]}
    if len(timings) > 1:
        raise RequestError(key, "videos with treatment adjust and clip are not served together")
    policy = block.get("frame_policy", "fit")
    timing = {"adjust": "fit", "clip": "loop"}[timings.pop()]
    _check_ranges(block["videos"], "structure_videos" if key == "structure_type" else key)
    videos = sorted(block["videos"], key=lambda one: int(one.get("start_frame", 0)))
    return {
        "video_guide": [one["path"] for one in videos],
        "guide_kind": GUIDE_KINDS[kind],
        "guide_timing": timing if policy == "fit" else policy,
        "guide_range": _ranges(videos, frames, overlaps),
        "guide_cut": _cuts(videos, key),
    }


def _ranges(videos: list[dict[str, Any]], frames: Sequence[int], overlaps: Sequence[int]) -> list[str]:
    """Frame ranges of the videos; an empty list if one video covers the whole travel."""
    if len(videos) == 1 and not videos[0].get("start_frame") and "end_frame" not in videos[0]:
        return []
    places = [(one.get("start_frame", 0), one.get("end_frame", MAX_FRAMES)) for one in videos]
    moved = [
        (_map_frame(start, frames, overlaps), _map_frame(end, frames, overlaps)) for start, end in places
    ]
    return [f"{start}-{max(end - 1, start)}" for start, end in moved]


def _check_ranges(videos: list[dict[str, Any]], key: str) -> None:
    """Refuse ranges without a frame.

    Raises:
        RequestError: naming the range.
    """
    for one in videos:
        start, end = one.get("start_frame", 0), one.get("end_frame", MAX_FRAMES)
        if end <= start:
            raise RequestError(key, f"end_frame: {end}, must be more than start_frame, {start}")


def _map_frame(frame: int, frames: Sequence[int], overlaps: Sequence[int]) -> int:
    """Map a frame of the older worker's timeline to the one here, between the same images.

    Args:
        frame: on a timeline on which neighbouring segments share their overlap.
        frames: of each segment.
        overlaps: of each seam, in frames.
    """
    lengths = [count // 4 * 4 + 1 for count in frames]
    shared = [*overlaps, *[0] * len(lengths)][: max(len(lengths) - 1, 0)]
    old_starts = [0, *accumulate(length - both for length, both in zip(lengths, [*shared, 0], strict=False))]
    new_starts = [0, *accumulate(lengths)]
    for (start, end), (first, last) in zip(pairwise(old_starts), pairwise(new_starts), strict=True):
        if frame < end:
            return first + round((frame - start) * (last - first) / (end - start))
    return new_starts[-1] + frame - old_starts[-1]


def _cuts(videos: list[dict[str, Any]], key: str) -> list[str]:
    """Frame ranges that are used of each video; an empty list if all are used whole."""
    cuts = [(one.get("source_start_frame", 0), one.get("source_end_frame", 0)) for one in videos]
    if not any(start or end for start, end in cuts):
        return []
    if any(end <= start for start, end in cuts):
        raise RequestError(key, "source_end_frame is needed of each video where one is cut")
    return [f"{start}-{end - 1}" for start, end in cuts]
