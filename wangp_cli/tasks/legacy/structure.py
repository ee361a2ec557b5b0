"""Videos whose motion guides a travel, in the words that the older worker has had for them."""

from __future__ import annotations

from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.tasks.legacy.forms import raw, short
from wangp_cli.tasks.legacy.payload import Key, Part, Parts

VIDEOS = (
    "structure_guidance",
    "structure_videos",
    "structure_video_path",
    "structure_guidance_video_url",
    "structure_motion_video_url",
    "use_uni3c",
)
"""Keys that ask for guidance; the others say how, and mean nothing without it."""
GUIDE: dict[str, Key] = {
    name: Part(raw)
    for name in (
        *VIDEOS,
        *("structure_type", "structure_video_type", "structure_video_treatment"),
        *("structure_video_motion_strength", "structure_canny_intensity", "structure_depth_contrast"),
        *("structure_guidance_frame_offset", "structure_motion_frame_offset"),
        *("structure_original_video_url", "structure_trimmed_video_url"),
        *("uni3c_guide_video", "uni3c_strength", "uni3c_start_percent", "uni3c_end_percent"),
        *("uni3c_frame_policy", "uni3c_zero_empty_frames", "uni3c_keep_on_gpu"),
        *("uni3c_blackout_last_frame", "uni3c_guidance_frame_offset"),
    )
}


def guidance(parts: Parts) -> dict[str, Any]:
    """The guidance of a travel.

    Raises:
        RequestError: names the key that asks for what is not served.
    """
    for name in VIDEOS:
        value = parts.get(name)
        if value and not (
            name == "structure_guidance" and isinstance(value, dict) and not value.get("videos")
        ):
            raise RequestError(name, f"{short(value)} is not served", hint=f"leave {name} out")
    return {}
