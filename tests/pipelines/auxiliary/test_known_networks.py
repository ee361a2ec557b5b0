from __future__ import annotations

import pytest

from wangp_cli.pipelines.auxiliary.known_networks import name_of_network


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("transformer.blocks.0.attn1.to_q.lora_A.weight", "a LoRA"),
        ("object_transformer.query_emb.weight", "MatAnyone"),
        ("module.block0.conv0.0.0.weight", "RIFE"),
        ("module.block0.convblock0.0.0.weight", "RIFE 3"),
        ("module.fnet.conv1.weight", "RAFT"),
        ("memory_attention.layers.0.norm1.weight", "SAM 2"),
        ("image_encoder.patch_embed.proj.weight", "SAM"),
        ("depth_head.projects.0.weight", "Depth Anything"),
        ("body.0.rdb1.conv1.weight", "an ESRGAN network"),
        ("model.1.sub.0.RDB1.conv1.0.weight", "an ESRGAN network"),
        ("model.1.sub.0.RDB1.conv1x1.weight", "ESRGAN+"),
        ("layers.0.residual_group.blocks.0.attn.relative_position_bias_table", "SwinIR"),
        ("layers.0.residual_group.overlap_attn.relative_position_bias_table", "HAT"),
        ("block_1.c1_r.sk.weight", "SPAN"),
        ("feats.1.lk.conv.weight", "PLKSR"),
        ("blocks.0.self_attn.q.weight", "a diffusion transformer"),
        ("decoder.conv1.weight", "a VAE"),
        ("blocks.0.attn.q.weight", "a text encoder"),
        ("layer.weight", None),
    ],
)
def test_a_network_is_named_by_its_keys(key: str, name: str | None) -> None:
    assert name_of_network(["other.bias", key]) == name
