"""Model definitions of WanGP."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy.definition import read_definition

HUB = "https://huggingface.co/owner/name/resolve/main"


def definition(model: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {
        "model": {"name": "Fox", "architecture": "t2v", "URLs": [f"{HUB}/fox.safetensors"]} | model,
        **settings,
    }


def test_a_definition_gives_files_loras_and_defaults() -> None:
    made = read_definition(
        definition(
            {
                "URLs2": "t2v_2_2",
                "modules": [
                    "vace_14B",
                    [f"{HUB}/module.safetensors"],
                    {"URLs": ["a.sft"], "URLs2": ["b.sft"]},
                ],
                "loras": [f"{HUB}/a.safetensors|folder", "b.safetensors"],
                "loras_multipliers": ["0;1", 0.5],
                "description": "x",
                "group": "wan",
            },
            prompt="an example",
            seed=5,
            num_inference_steps=8,
            guidance_scale=1,
            resolution="1280x720",
            masking_strength=0.1,
        )
    )
    assert (made.title, made.architecture) == ("Fox", "t2v")
    assert (made.transformer, made.transformer_2) == ("hf://owner/name/fox.safetensors", "t2v_2_2")
    assert made.modules == (
        ("vace_14B", "vace_14B"),
        ("hf://owner/name/module.safetensors", "hf://owner/name/module.safetensors"),
        ("a.sft", "b.sft"),
    )
    assert made.loras == ((f"{HUB}/a.safetensors", "0;1"), ("b.safetensors", "0.5"))
    assert made.defaults == {"steps": 8, "guidance_scale": 1, "size": "1280x720"}
    assert made.notices == ()


@pytest.mark.parametrize(
    ("urls", "chosen"),
    [
        ([f"{HUB}/x_quanto_int8.safetensors", f"{HUB}/x_mbf16.safetensors"], "hf://owner/name/x_mbf16.safetensors"),
        ([f"{HUB}/x_int8.safetensors", f"{HUB}/x_fp8.safetensors"], "hf://owner/name/x_fp8.safetensors"),
        ([f"{HUB}/x_nvfp4.safetensors", f"{HUB}/x_Q4.gguf"], "hf://owner/name/x_Q4.gguf"),
        ("https://huggingface.co/o/n/blob/v2/deep/er.safetensors?download=true", "hf://o/n@v2/deep/er.safetensors"),
        (["ckpts/mine.safetensors"], "ckpts/mine.safetensors"),
        ("t2v_fusionix", "t2v_fusionix"),
    ],
)  # fmt: skip
def test_the_best_precision_that_is_read_is_chosen(urls: Any, chosen: str) -> None:
    assert read_definition(definition({"URLs": urls})).transformer == chosen


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ({"architecture": None}, "architecture"),
        ({"architecture": ["t2v"]}, "architecture"),
        ({"URLs": None}, "URLs"),
        ({"URLs": [f"{HUB}/x_nvfp4.safetensors"]}, "URLs"),
        ({"URLs": ["https://elsewhere.example/x.safetensors"]}, "URLs"),
        ({"URLs": {"a": 1}}, "URLs"),
        ({"modules": {"a": 1}}, "modules"),
        ({"loras": [3]}, "loras"),
        ({"loras": ["a"], "loras_multipliers": ["much"]}, "lora_multipliers"),
        ({"text_encoder_URLs": [f"{HUB}/t5.safetensors"]}, "text_encoder_URLs"),
        ({"VAE_URLs": "x.safetensors"}, "VAE_URLs"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(model: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_definition(definition(model))
    assert refused.value.field == field
    assert "{'" not in str(refused.value)


def test_keys_without_effect_here_are_told() -> None:
    made = read_definition(definition({"preload_URLs": ["x"], "new_key": 1}, scheduler_type="x"))
    assert [notice.partition(",")[0].partition(":")[0] for notice in made.notices] == [
        "preload_URLs",
        "not used",
        "not used",
    ]
    assert "new_key" in made.notices[1]
    assert "scheduler_type" in made.notices[2]
