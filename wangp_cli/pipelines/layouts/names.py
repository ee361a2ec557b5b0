"""What files call the parameters of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wangp_cli.pipelines.lora_names import original_name

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
}
"""Parameters that the original code does not name after a layer of diffusers'."""


def bare(key: str) -> str:
    """A key without the prefix of the tool that wrote it."""
    return next((key.removeprefix(prefix) for prefix in PREFIXES if key.startswith(prefix)), key)


def known_names(parameters: Iterable[str], original: Callable[[str], str]) -> dict[str, str]:
    """Every name a file may use for a parameter, and the parameter's own."""
    return {name: own for own in parameters for name in (own, original(own))}


def original(parameter: str) -> str:
    """What the original Wan code calls a parameter of diffusers' network."""
    if parameter in OTHERS:
        return OTHERS[parameter]
    layer, _, leaf = parameter.rpartition(".")
    if leaf == "scale_shift_table":
        return f"{layer}.modulation"
    return f"{original_name(layer)}.{leaf}"
