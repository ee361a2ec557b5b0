"""Names of the parameters of Wan's networks in original checkpoints and in LoRA files."""

from __future__ import annotations

import re

from wangp_cli.pipelines.checkpoints.key_names import KeyNames

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
"""Patterns of layers and tables of diffusers' Wan networks, and their names in the original code."""
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


def original_layer(layer: str) -> str:
    """The name of a layer of diffusers' network in the original Wan code."""
    for pattern, name in ORIGINAL:
        if re.search(pattern, layer):
            return re.sub(pattern, name, layer)
    return layer


def original_parameter(parameter: str) -> str:
    """The name of a parameter of diffusers' network in the original Wan code."""
    if parameter in OTHERS:
        return OTHERS[parameter]
    layer, _, leaf = parameter.rpartition(".")
    if match := re.fullmatch(r"motion_encoder\.res_blocks\.(\d+)\.(.+)", layer):
        return f"motion_encoder.enc.net_app.convs.{int(match[1]) + 1}.{IN_A_MOTION_BLOCK[match[2]]}.{leaf}"
    if match := re.fullmatch(r"motion_encoder\.motion_network\.(\d+)", layer):
        return f"motion_encoder.enc.fc.{match[1]}.{leaf}"
    if leaf == "scale_shift_table":
        return f"{layer}.modulation"
    return f"{original_layer(layer)}.{leaf}"


WAN = KeyNames(
    family="Wan",
    parameter=original_parameter,
    layer=original_layer,
    image_layers=re.compile(r"k_img|v_img|img_emb|add_k_proj|add_v_proj|image_embedder|norm_added_k"),
    fused={".linear1_kv.": (".linear1_k.", ".linear1_v.")},
    constants=re.compile(r"motion_encoder\..*\.kernel|(rope\.)?freqs(_\w+|\.\d+)?"),
    input_layer="patch_embedding.weight",
)
