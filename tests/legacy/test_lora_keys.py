"""LoRAs in the older tools' keys."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate_values
from wangp_cli.legacy.lora_keys import combine_loras, is_same_lora, recorded_file_names


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


HIGH = "https://huggingface.co/one/a/resolve/main/high_noise_model.safetensors"
OTHER = "https://huggingface.co/two/b/resolve/main/high_noise_model.safetensors"
PLAIN = "https://h/x/style.safetensors"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (HIGH, OTHER, False),
        (HIGH, HIGH.replace("/resolve/", "/blob/") + "?download=true", True),
        (HIGH, HIGH.replace("https://huggingface.co", "HTTPS://HuggingFace.co"), True),
        (PLAIN, "https://h/y/style.safetensors", False),
        (PLAIN, "style.safetensors@0.5", True),
        ("a/style.safetensors", "b/style.safetensors", False),
        (HIGH, "high_noise_model.safetensors", False),
        ("https://h/Seko%20V1/high_noise_model.safetensors", "Seko_V1_high_noise_model.safetensors", True),
    ],
)
def test_a_lora_is_the_same_where_its_whole_source_is(one: str, other: str, same: bool) -> None:
    assert is_same_lora(one, other) is same
    assert is_same_lora(other, one) is same


@pytest.mark.parametrize(
    ("document", "loras"),
    [
        ({"activated_loras": [HIGH], "additional_loras": {OTHER: 0.5}}, [f"{HIGH}@1", f"{OTHER}@0.5"]),
        ({"activated_loras": [HIGH, OTHER]}, [f"{HIGH}@1", f"{OTHER}@1"]),
        ({"activated_loras": [HIGH], "additional_loras": {HIGH: 0.5}}, [f"{HIGH}@0.5"]),
        (
            {"activated_loras": ["style.safetensors"], "additional_loras": {PLAIN: None}},
            [f"{PLAIN}@1"],
        ),
        (
            {"activated_loras": [PLAIN], "loras_multipliers": "0.7", "additional_loras": {PLAIN: 0.2}},
            [f"{PLAIN}@0.7"],
        ),
        (
            {"loras": [{"path": "a.safetensors", "scale": 0.5}, {"path": "b.safetensors"}]},
            ["a.safetensors@0.5", "b.safetensors"],
        ),
    ],
)
def test_different_loras_of_one_file_name_are_both_kept(document: dict[str, Any], loras: list[str]) -> None:
    assert translate_values({"task_type": "t2v", "prompt": "a"} | document)["loras"] == loras


def test_loras_beside_a_phase_config_keep_their_source() -> None:
    phases = [{"loras": [{"url": OTHER, "multiplier": "1"}]}, {"loras": []}]
    config = {"num_phases": 2, "steps_per_phase": [2, 2], "phases": phases}
    document = {"task_type": "t2v", "prompt": "a", "activated_loras": [HIGH], "phase_config": config}
    assert translate_values(document)["loras"] == [f"{HIGH}@1", f"{OTHER}@1;0"]


def test_a_phase_config_keeps_the_address_of_a_lora() -> None:
    phases = [{"loras": [{"path": "style.safetensors", "multiplier": "0.5"}]}, {"loras": []}]
    config = {"num_phases": 2, "steps_per_phase": [2, 2], "phases": phases}
    document = {"task_type": "t2v", "prompt": "a", "activated_loras": [PLAIN], "phase_config": config}
    assert translate_values(document)["loras"] == [f"{PLAIN}@0.5;0"]


def test_recorded_addresses_stay_where_file_names_do_not_tell_them_apart() -> None:
    both = [f"{PLAIN}@1", "https://h/y/style.safetensors@0.5"]
    assert recorded_file_names(both) == both
    assert recorded_file_names([HIGH]) == [HIGH]


@pytest.mark.parametrize("item", [{}, {"path": ""}, {"path": "a", "weight": 1}, {"scale": 1}])
def test_an_object_that_names_no_lora_is_an_error(item: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="is no LoRA"):
        combine_loras({"loras": [item]}, {})
