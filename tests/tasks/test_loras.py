"""Names of LoRAs, and the strengths given with them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from wangp_cli.tasks.lora_strength import Strength
from wangp_cli.tasks.loras import LoraOptions, parse_lora, read_multipliers


@pytest.mark.parametrize(
    ("text", "name", "strength"),
    [
        ("style.safetensors", "style.safetensors", None),
        ("style.safetensors@0.8", "style.safetensors", "0.8"),
        ("style.safetensors@-1", "style.safetensors", "-1"),
        ("style@1;0.5", "style", "1;0.5"),
        ("/a@b/style@0.9,0.5", "/a@b/style", "0.9,0.5"),
        ("owner/repo", "owner/repo", None),
        ("owner/repo@main", "owner/repo@main", None),
        ("owner/repo:a/b.safetensors@v1.2@0.5", "owner/repo:a/b.safetensors@v1.2", "0.5"),
        ("https://host/a@b.safetensors", "https://host/a@b.safetensors", None),
        ("https://host/a.safetensors@0;1", "https://host/a.safetensors", "0;1"),
    ],
)
def test_a_name_and_its_strength(text: str, name: str, strength: str | None) -> None:
    assert parse_lora(text) == (name, strength and Strength.parse(strength))


def test_multipliers_go_by_position() -> None:
    task = LoraOptions.model_validate({"loras": ["a", "b", "c"], "lora_multipliers": "0.5 |\n# note\n1;0"})
    assert [(name, str(strength)) for name, strength in task.strengths()] == [
        ("a", "0.5"), ("b", "1;0"), ("c", "1"),
    ]  # fmt: skip
    assert LoraOptions.model_validate({"loras": ["a"], "lora_multipliers": [0.5]}).lora_multipliers == "0.5"
    assert read_multipliers("") == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loras": ["a"], "lora_multipliers": "1 2"}, "2 strengths for 1 LoRAs"),
        ({"loras": ["a@0.5"], "lora_multipliers": "1"}, "say it once"),
        ({"loras": ["a"], "lora_multipliers": "1:2"}, "is no strength"),
        ({"loras": ["a@strong"]}, "has no number after @"),
        ({"loras": ["@0.5"]}, "names no LoRA"),
    ],
)
def test_what_cannot_be_meant_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LoraOptions.model_validate(values)


@pytest.mark.parametrize("text", ["x@0,9", "owner/name@0,9", "https://h/x.safetensors@1;0,5"])
def test_a_decimal_comma_in_a_strength_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal comma"):
        parse_lora(text)
    with pytest.raises(ValueError, match="decimal comma"):
        read_multipliers(text.rpartition("@")[2])
