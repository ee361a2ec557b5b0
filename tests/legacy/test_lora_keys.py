"""LoRAs in the older tools' keys."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy.lora_keys import combine_loras, recorded_file_names


@pytest.mark.parametrize(
    ("fields", "settings", "combined"),
    [
        ({"loras": "a, b", "lora_multipliers": "0.5 2"}, {}, {"loras": ["a@0.5", "b@2"]}),
        (
            {"loras": ["a", "b"], "lora_multipliers": "0.5,2"},
            {"lora_multipliers": "0.5,2"},
            {"loras": ["a@0.5", "b@2"]},
        ),
        ({"loras": ["a"]}, {"activated_loras": ["a"]}, {"loras": ["a@1"]}),
        ({}, {"additional_loras": {"x/a": 0.5, "b": None}}, {"loras": ["x/a@0.5", "b@1"]}),
        ({"loras": ["a@0.3"]}, {"additional_loras": {"https://h/a": "1;0"}}, {"loras": ["https://h/a@1;0"]}),
        ({"loras": ["a@0.3"]}, {"additional_loras": {"a": "0.9"}}, {"loras": ["a@0.3"]}),
        (
            {"loras": ["a"], "lora_multipliers": "1;0 | 0.5", "accelerator": "svi"},
            {},
            {"loras": ["a@0.5"], "lora_multipliers": "1;0 |", "accelerator": "svi"},
        ),
    ],
)
def test_files_and_strengths_of_all_keys_are_combined(
    fields: dict[str, Any], settings: dict[str, Any], combined: dict[str, Any]
) -> None:
    combine_loras(fields, settings)
    assert fields == combined


@pytest.mark.parametrize(
    ("fields", "settings", "fault"),
    [
        ({"loras": 5}, {}, "loras: 5 is no list"),
        ({"loras": ["a", 5]}, {}, "is no list of LoRA files"),
        ({}, {"additional_loras": ["a"]}, "additional_loras: .* is no table"),
        ({"loras": ["a"], "lora_multipliers": "much"}, {}, "lora_multipliers: 'much' is no strength"),
    ],
)
def test_other_values_are_errors(fields: dict[str, Any], settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(RequestError, match=fault):
        combine_loras(fields, settings)


@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        ("https://host/a/b.safetensors?download=1|x", "b.safetensors"),
        ("https://host/b.safetensors@0.5", "b.safetensors@0.5"),
        ("folder/b.safetensors", "folder/b.safetensors"),
    ],
)
def test_a_recorded_url_becomes_the_name_of_its_file(recorded: str, name: str) -> None:
    assert recorded_file_names([recorded]) == [name]
