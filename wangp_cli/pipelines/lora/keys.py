"""What LoRA files call a network's layers, and what the network calls them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIXES = (
    "base_model.model.",
    "model.diffusion_model.",
    "diffusion_model.",
    "pipe.dit.",
    "transformer.",
    "lora_transformer_",
    "lora_unet__",
    "lora_unet_",
    "lycoris_",
)
TEXT_ENCODERS = ("text_encoder", "lora_te", "text_model")
PARTS = {
    "lora_A": "down",
    "lora_down": "down",
    "lora.A": "down",
    "lora.down": "down",
    "lora_B": "up",
    "lora_up": "up",
    "lora.B": "up",
    "lora.up": "up",
    "alpha": "alpha",
    "dora_scale": "magnitude",
    "lora_magnitude_vector": "magnitude",
    "diff": "weight",
    "diff_b": "bias",
    "lokr_w1": "w1",
    "lokr_w1_a": "w1_a",
    "lokr_w1_b": "w1_b",
    "lokr_w2": "w2",
    "lokr_w2_a": "w2_a",
    "lokr_w2_b": "w2_b",
    "hada_w1_a": "h1_a",
    "hada_w1_b": "h1_b",
    "hada_w2_a": "h2_a",
    "hada_w2_b": "h2_b",
}
"""What the last part of a key says that it holds, and what we call it."""
_PART = re.compile(
    rf"(?:\.|_(?=lora))({'|'.join(sorted(map(re.escape, PARTS), key=len, reverse=True))})"
    r"(?:\.(?!weight$|bias$)\w+)?(?:\.weight)?"
)
PICTURES = re.compile(r"k_img|v_img|img_emb|add_k_proj|add_v_proj|image_embedder|norm_added_k")
"""Layers for CLIP's view of a picture, which only image-to-video networks have."""

ORIGINAL = (
    (r"\battn1\.to_(q|k|v)$", r"self_attn.\1"),
    (r"\battn1\.to_out\.0$", "self_attn.o"),
    (r"(blocks\.\d+)\.attn1\.(cam_encoder|projector)$", r"\1.\2"),
    (r"\battn2\.to_(q|k|v)$", r"cross_attn.\1"),
    (r"\battn2\.to_out\.0$", "cross_attn.o"),
    (r"\battn2\.add_(k|v)_proj$", r"cross_attn.\1_img"),
    (r"\bffn\.net\.0\.proj$", "ffn.0"),
    (r"\bffn\.net\.2$", "ffn.2"),
    (r"\bproj_in$", "before_proj"),
    (r"(vace_blocks\.\d+)\.proj_out$", r"\1.after_proj"),
    (r"^proj_out$", "head.head"),
    (r"^condition_embedder\.time_proj$", "time_projection.1"),
    (r"^condition_embedder\.time_embedder\.linear_1$", "time_embedding.0"),
    (r"^condition_embedder\.time_embedder\.linear_2$", "time_embedding.2"),
    (r"^condition_embedder\.text_embedder\.linear_1$", "text_embedding.0"),
    (r"^condition_embedder\.text_embedder\.linear_2$", "text_embedding.2"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj$", "img_emb.proj.1"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.2$", "img_emb.proj.3"),
    (r"^condition_embedder\.image_embedder\.norm1$", "img_emb.proj.0"),
    (r"^condition_embedder\.image_embedder\.norm2$", "img_emb.proj.4"),
    (r"\battn1\.norm_(q|k)$", r"self_attn.norm_\1"),
    (r"\battn2\.norm_(q|k)$", r"cross_attn.norm_\1"),
    (r"\battn2\.norm_added_k$", "cross_attn.norm_k_img"),
    (r"\bnorm2$", "norm3"),
    (r"(blocks\.\d+)\.scale_shift_table$", r"\1.modulation"),
    (r"^face_adapter\.(\d+)\.to_q$", r"face_adapter.fuser_blocks.\1.linear1_q"),
    (r"^face_adapter\.(\d+)\.to_(k|v)$", r"face_adapter.fuser_blocks.\1.linear1_\2"),
    (r"^face_adapter\.(\d+)\.to_out$", r"face_adapter.fuser_blocks.\1.linear2"),
    (r"^face_adapter\.(\d+)\.norm_(q|k)$", r"face_adapter.fuser_blocks.\1.\2_norm"),
    (r"^face_encoder\.conv(1_local|2|3)$", r"face_encoder.conv\1.conv"),
    (r"^scale_shift_table$", "head.modulation"),
)
"""Layers and tables of diffusers' Wan networks and their names in the original code."""


def aliases(names: Iterable[str]) -> dict[str, str]:
    """Every name a file may use for a layer, and the layer's own: dotted or flat, ours or the original."""
    known: dict[str, str] = {}
    for own in names:
        for name in (own, original_name(own)):
            known[name] = own
            known[name.replace(".", "_")] = own
    return known


def original_name(layer: str) -> str:
    """What the original Wan code calls a layer of diffusers' network."""
    for pattern, name in ORIGINAL:
        if re.search(pattern, layer):
            return re.sub(pattern, name, layer)
    return layer


def bare_name(name: str) -> str:
    """A layer's name without the prefixes that training tools put before it."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return bare_name(name.removeprefix(prefix))
    return name


def split_key(key: str) -> tuple[str, str]:
    """A key's layer, without prefixes, and what it holds: a value of `PARTS`, or nothing we know."""
    if match := re.fullmatch(rf"(.+?){_PART.pattern}", key):
        return bare_name(match[1]), PARTS[match[2]]
    return bare_name(key), ""
