"""Names of Wan's weights in original checkpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


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


def original_name(layer: str) -> str:
    """What the original Wan code calls a layer of diffusers' network."""
    for pattern, name in ORIGINAL:
        if re.search(pattern, layer):
            return re.sub(pattern, name, layer)
    return layer
