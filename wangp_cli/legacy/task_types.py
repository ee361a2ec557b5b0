"""The task types of the older worker; most are one model under a name of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.edit_payload import EDIT, INPAINT
from wangp_cli.legacy.join_payload import JOIN, JOIN_SEGMENT
from wangp_cli.legacy.payload import BOOKKEEPING, Payload, UnpackedPayload, flatten
from wangp_cli.legacy.segment_payload import INDIVIDUAL, SEGMENT
from wangp_cli.legacy.tool_payloads import DEPTH, EXTRACT_FRAME, INTERPOLATE, OPENPOSE
from wangp_cli.legacy.travel_payload import TRAVEL

MODELS = {
    "generate_video": "t2v",
    "single_image": "t2v",
    "wgp": "t2v",
    "standard_wgp_task": "t2v",
    "t2v": "t2v",
    "t2v_22": "t2v_2_2",
    "wan_2_2_t2i": "t2v_2_2",
    "i2v": "i2v",
    "i2v_22": "i2v_2_2",
    "vace": "vace_14B_cocktail_2_2",
    "vace_21": "vace_14B",
    "vace_22": "vace_14B_cocktail_2_2",
    "flux": "flux",
    "hunyuan": "hunyuan",
    "ltxv": "ltxv_13B",
    "z_image_turbo": "z_image",
}
"""Default model of each old type."""
IMAGE_TYPES = frozenset({"single_image", "wan_2_2_t2i", "flux", "z_image_turbo"})
"""Old types that make images."""
EDITS_PICTURES = "edits pictures, which is not served yet"
PAYLOADS: dict[str, Payload] = {
    "travel_orchestrator": TRAVEL,
    "travel_segment": SEGMENT,
    "individual_travel_segment": INDIVIDUAL,
    "join_clips_orchestrator": JOIN,
    "join_clips_segment": JOIN_SEGMENT,
    "edit_video_orchestrator": EDIT,
    "inpaint_frames": INPAINT,
    "extract_frame": EXTRACT_FRAME,
    "generate_openpose": OPENPOSE,
    "generate_depth": DEPTH,
    "rife_interpolate_images": INTERPOLATE,
}
"""Old types that have keys of their own, and how each is read."""
UNSUPPORTED = {
    "travel_stitch": "puts segments of other tasks together, which a travel_orchestrator here does itself",
    "different_perspective_orchestrator": "shows a pose from elsewhere, which is not served",
    "dp_final_gen": "shows a pose from elsewhere, which is not served",
    "qwen_image": EDITS_PICTURES,
    "qwen_image_2512": EDITS_PICTURES,
    "qwen_image_edit": EDITS_PICTURES,
    "qwen_image_style": EDITS_PICTURES,
    "qwen_image_hires": EDITS_PICTURES,
    "image_inpaint": EDITS_PICTURES,
    "annotated_image_edit": EDITS_PICTURES,
    "z_image_turbo_i2i": EDITS_PICTURES,
    "magic_edit": "runs on a paid service, which is not served",
    "create_visualization": "draws a film strip of inputs, which is not served yet",
    "comfy": "runs a ComfyUI workflow, which is not served",
}
"""Old types that are unsupported, and why."""
INSTEAD = {
    "travel_stitch": "give the travel_orchestrator",
    "create_visualization": "`visualize` in a travel, a join or an edit draws one as it is made",
}
"""What to use instead of some of them."""


OLD_TYPES = frozenset({*MODELS, *PAYLOADS, *UNSUPPORTED})
"""Every task type of the older worker."""


def task_type_of(settings: Mapping[str, Any]) -> str:
    """The `task_type` or `type` of settings; an empty text if it is missing or no text."""
    kind = settings.get("task_type", settings.get("type"))
    return kind if isinstance(kind, str) else ""


def is_old_type(kind: str) -> bool:
    """Whether `kind` is a task type of the older worker."""
    return kind in OLD_TYPES


def hint_for_key(key: str) -> str:
    """A hint that names the old type a key belongs to, or an empty text."""
    kind = next((kind for kind, payload in PAYLOADS.items() if key in payload.keys), None)
    return f"it belongs to a task_type such as {kind}" if kind else ""


def unpack(settings: Mapping[str, Any]) -> UnpackedPayload:
    """Unpack settings of the older worker; other settings are returned as they are.

    Raises:
        RequestError: names the key that is wrong or unsupported.
    """
    kind = task_type_of(settings)
    if kind in PAYLOADS:
        return PAYLOADS[kind].unpack(settings)
    if not is_old_type(kind):
        return UnpackedPayload(values=dict(settings))
    if kind in UNSUPPORTED:
        raise RequestError("type", f"{kind!r} {UNSUPPORTED[kind]}", hint=INSTEAD.get(kind))
    values = {key: value for key, value in flatten(settings).items() if key not in BOOKKEEPING}
    payload = UnpackedPayload(values=values, is_old=True)
    for key, other in (("steps", "num_inference_steps"), ("frames", "video_length")):
        if key in values and other in values:
            payload.notices.append(f"{key}: not used, {other} is given")
            del values[key]
    return payload


def to_generate_task(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the `generate` task that stands for one of `MODELS`."""
    fields = {"model": MODELS[kind], **values, "type": "generate"}
    if kind == "flux" and "frames" in fields:
        # For this model video_length is the number of images.
        fields["count"] = fields["frames"]
    if kind in IMAGE_TYPES:
        fields["frames"] = 1
    if kind == "z_image_turbo":
        fields = {"steps": 8, "guidance_scale": 0, **fields}
    return fields
