"""The task types of the older worker: most are one model under a name of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wangp_cli.errors import RequestError

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
"""The model of each old type; a line that names a model keeps its own."""
PICTURES = frozenset({"single_image", "wan_2_2_t2i", "flux", "z_image_turbo"})
"""Old types that make one frame."""
SEVERAL_SHOTS = "is made of several shots by the older worker, which is not served yet"
EDITS_PICTURES = "edits pictures, which is not served yet"
REFUSED = {
    "travel_orchestrator": SEVERAL_SHOTS,
    "travel_segment": SEVERAL_SHOTS,
    "individual_travel_segment": SEVERAL_SHOTS,
    "travel_stitch": SEVERAL_SHOTS,
    "join_clips_orchestrator": SEVERAL_SHOTS,
    "join_clips_segment": SEVERAL_SHOTS,
    "edit_video_orchestrator": SEVERAL_SHOTS,
    "inpaint_frames": SEVERAL_SHOTS,
    "different_perspective_orchestrator": SEVERAL_SHOTS,
    "dp_final_gen": SEVERAL_SHOTS,
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
    "extract_frame": "takes a frame out of an earlier task, which is not served yet",
    "rife_interpolate_images": "interpolates pictures, which is not served yet",
    "generate_openpose": "draws poses of a picture, which is not served yet",
    "generate_depth": "draws the depth of a picture, which is not served yet",
    "comfy": "runs a ComfyUI workflow, which is not served",
}
"""Old types without a counterpart here, and why."""


def is_old(kind: object) -> bool:
    """Whether `kind` is a task type of the older worker."""
    return isinstance(kind, str) and (kind in MODELS or kind in REFUSED)


def as_generate(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a `generate` task that does what the old type did.

    Raises:
        RequestError: there is no such task here.
    """
    if kind in REFUSED:
        raise RequestError("type", f"{kind!r} {REFUSED[kind]}")
    found = {"model": MODELS[kind], **values, "type": "generate"}
    if kind == "flux" and "frames" in found:
        # Of this model the older worker's video_length was the number of pictures.
        found["count"] = found["frames"]
    if kind in PICTURES:
        found["frames"] = 1
    if kind == "z_image_turbo":
        found = {"steps": 8, "guidance_scale": 0, **found}
    return found
