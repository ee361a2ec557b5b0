"""What files call the parameters of a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wangp_cli.pipelines.checkpoints.wan_names import original_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PREFIXES = (
    "model.diffusion_model.",
    "diffusion_model.",
    "transformer.",
    "proj_model.",
    "audio_processor.",
)
"""What tools put before every key."""
OTHERS = {
    "scale_shift_table": "head.modulation",
    "condition_embedder.image_embedder.pos_embed": "img_emb.emb_pos",
    "fps_projection.net.0.proj.weight": "fps_projection.0.weight",
    "fps_projection.net.0.proj.bias": "fps_projection.0.bias",
    "fps_projection.net.2.weight": "fps_projection.2.weight",
    "fps_projection.net.2.bias": "fps_projection.2.bias",
    "motion_encoder.motion_synthesis_weight": "motion_encoder.dec.direction.weight",
    "motion_encoder.conv_in.weight": "motion_encoder.enc.net_app.convs.0.0.weight",
    "motion_encoder.conv_in.act_fn.bias": "motion_encoder.enc.net_app.convs.0.1.bias",
    "motion_encoder.conv_out.weight": "motion_encoder.enc.net_app.convs.8.weight",
}
"""Parameters that the original code does not name after a layer of diffusers'."""
IN_A_MOTION_BLOCK = {
    "conv1": "conv1.0",
    "conv1.act_fn": "conv1.1",
    "conv2": "conv2.1",
    "conv2.act_fn": "conv2.2",
    "conv_skip": "skip.1",
}
"""Layers of a block of the motion encoder, which the original code numbers."""
FUSED = ".linear1_kv."
"""Two layers that the original code keeps in one, the rows of the first before those of the second."""
HALVES = (".linear1_k.", ".linear1_v.")


def bare(key: str) -> str:
    """A key without the prefix of the tool that wrote it."""
    return next((key.removeprefix(prefix) for prefix in PREFIXES if key.startswith(prefix)), key)


def halves(key: str) -> list[tuple[str, int | None]]:
    """The names of what a key holds, and which half of it each is; None of a key that holds one parameter."""
    if FUSED not in key:
        return [(key, None)]
    return [(key.replace(FUSED, name), half) for half, name in enumerate(HALVES)]


def known_names(parameters: Iterable[str], original: Callable[[str], str]) -> dict[str, str]:
    """Every name a file may use for a parameter, and the parameter's own."""
    return {name: own for own in parameters for name in (own, original(own))}


def original(parameter: str) -> str:
    """What the original Wan code calls a parameter of diffusers' network."""
    if parameter in OTHERS:
        return OTHERS[parameter]
    layer, _, leaf = parameter.rpartition(".")
    if match := re.fullmatch(r"motion_encoder\.res_blocks\.(\d+)\.(.+)", layer):
        return f"motion_encoder.enc.net_app.convs.{int(match[1]) + 1}.{IN_A_MOTION_BLOCK[match[2]]}.{leaf}"
    if match := re.fullmatch(r"motion_encoder\.motion_network\.(\d+)", layer):
        return f"motion_encoder.enc.fc.{match[1]}.{leaf}"
    if leaf == "scale_shift_table":
        return f"{layer}.modulation"
    return f"{original_name(layer)}.{leaf}"
