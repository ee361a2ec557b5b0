"""Keys of LoRA files."""

from __future__ import annotations

import pytest

from wangp_cli.pipelines.lora.keys import aliases, split_key


@pytest.mark.parametrize(
    ("key", "layer", "part"),
    [
        ("transformer.blocks.0.attn1.to_q.lora_A.weight", "blocks.0.attn1.to_q", "down"),
        ("base_model.model.transformer.blocks.0.ffn.lora_B.default.weight", "blocks.0.ffn", "up"),
        ("lora_unet_blocks_0_self_attn_q.lora_down.weight", "blocks_0_self_attn_q", "down"),
        ("transformer.blocks.0.to_q_lora.up.weight", "blocks.0.to_q", "up"),
        ("lycoris_blocks_0_ffn_0.lokr_w1_a", "blocks_0_ffn_0", "w1_a"),
        ("diffusion_model.blocks.0.norm3.diff_b", "blocks.0.norm3", "bias"),
        ("diffusion_model.blocks.0.norm3.diff", "blocks.0.norm3", "weight"),
        ("blocks.0.attn1.to_q.lora_magnitude_vector", "blocks.0.attn1.to_q", "magnitude"),
        ("diffusion_model.blocks.0.other", "blocks.0.other", ""),
    ],
)
def test_a_key_is_a_layer_and_a_part(key: str, layer: str, part: str) -> None:
    assert split_key(key) == (layer, part)


def test_a_layer_is_found_by_every_name_with_dots_or_underscores() -> None:
    found = aliases(["blocks.0.attn1"], lambda name: name.replace("attn1", "self_attn"))
    names = ["blocks.0.attn1", "blocks_0_attn1", "blocks.0.self_attn", "blocks_0_self_attn"]
    assert found == dict.fromkeys(names, "blocks.0.attn1")
