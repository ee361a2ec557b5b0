"""Keys of LoRA files."""

from __future__ import annotations

import pytest

from wangp_cli.pipelines.lora.keys import aliases, by_transformer, flat, split_key


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
        ("diffusion_model.blocks.0.diff_m", "blocks.0.modulation", "weight"),
        ("diffusion_model.head.modulation.diff_m", "head.modulation", "weight"),
        ("diffusion_model.transformer_2.blocks.0.q.lora_A.weight", "blocks.0.q", "down"),
        ("blocks.0.q.lora_B.my-style.bias", "blocks.0.q", "up_bias"),
        ("blocks.0.q.lora_A.bias", "blocks.0.q", ""),
        ("blocks.0.q.lora_A.scale_weight", "blocks.0.q.lora_A.scale_weight", ""),
        ("diffusion_model.blocks.0.q.magnitude", "blocks.0.q", "magnitude"),
        ("lycoris_blocks_0_norm3.w_norm", "blocks_0_norm3", "weight"),
        ("lycoris_blocks_0_norm3.b_norm", "blocks_0_norm3", "bias"),
    ],
)
def test_a_key_is_a_layer_and_a_part(key: str, layer: str, part: str) -> None:
    assert split_key(key) == (layer, part)


def test_a_layer_is_found_by_its_names_and_by_mixtures_of_them() -> None:
    originals = {"blocks.0.attn1.to_out.0": "blocks.0.self_attn.o", "time.proj": "time_embedding.1"}
    found = aliases(originals, originals.__getitem__)
    layer = "blocks.0.attn1.to_out.0"
    names = [layer, "blocks.0.self_attn.o", "blocks.0.self_attn.to_out.0", "blocks.0.attn1.o"]
    assert {found[flat(name)] for name in names} == {layer}
    assert found["time_embedding_1"] == "time.proj"


def test_a_mixed_name_that_two_layers_could_have_is_no_name() -> None:
    originals = {"condition.text.linear": "text_embedding.0", "condition.time.linear": "time_embedding.0"}
    assert "condition_0" not in aliases(originals, originals.__getitem__)


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        (["diffusion_model.transformer_1.a", "diffusion_model.transformer_2.a"], [1, 2]),
        (["transformer.blocks.0", "transformer_2.blocks.0"], [1, 2]),
        (["transformer.blocks.0", "transformer.blocks.1"], [None, None]),
        (["base_model.model.transformer_2.blocks.0"], [2]),
        (["transformer_2.blocks.0", "diffusion_model.blocks.0"], [2, None]),
        (["lora_transformer_blocks_0"], [None]),
    ],
)
def test_a_file_for_two_transformers_names_them(keys: list[str], numbers: list[int | None]) -> None:
    assert list(by_transformer(keys).values()) == numbers
