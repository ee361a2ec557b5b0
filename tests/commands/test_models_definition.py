"""Entries of the catalogue from model definitions of WanGP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.commands._models_definition import DefinedModel, find_definition
from wangp_cli.errors import ModelError, RequestError

HUB = "https://huggingface.co/owner/name/resolve/main"
OWN, LOW = f"{HUB}/own.safetensors", f"{HUB}/own_low.safetensors"
OWN_FILE, LOW_FILE = "hf://owner/name/own.safetensors", "hf://owner/name/own_low.safetensors"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(presets_dir() / "models")


def find(catalogue: Catalogue, folder: Path, model: dict[str, Any], like: str | None = None) -> DefinedModel:
    file = folder / "own.json"
    file.write_text(json.dumps({"model": model, "num_inference_steps": 7}))
    found = find_definition([str(file)], like, catalogue)
    assert found
    return found


@pytest.mark.parametrize(
    ("model", "base", "source"),
    [
        ({"architecture": "t2v", "URLs": [OWN]}, "t2v", {"file": [OWN_FILE], "components": "t2v"}),
        (
            {"architecture": "i2v", "URLs": "i2v_720p"},
            "i2v",
            {"repository": "Wan-AI/Wan2.1-I2V-14B-720P-Diffusers"},
        ),
        (
            {"architecture": "t2v", "URLs": "t2v_fusionix"},
            "t2v",
            {"file": ["t2v_fusionix"], "components": "t2v"},
        ),
        (
            {"architecture": "i2v_2_2", "URLs": [OWN], "URLs2": [LOW]},
            "i2v_2_2",
            {"file": [OWN_FILE], "file_2": [LOW_FILE], "components": "i2v_2_2"},
        ),
        (
            {"architecture": "vace_14B", "URLs": "t2v", "modules": ["vace_14B"]},
            "vace_14B",
            {"repository": "Wan-AI/Wan2.1-VACE-14B-diffusers"},
        ),
        (
            {"architecture": "vace_14B", "URLs": [OWN], "modules": ["vace_14B"]},
            "vace_14B",
            {"file": [OWN_FILE, "module"], "components": "vace_14B"},
        ),
        (
            {"architecture": "vace_14B", "URLs": [OWN], "URLs2": [LOW], "modules": ["vace_14B"]},
            "vace_14B_2_2",
            {"file": [OWN_FILE, "module"], "file_2": [LOW_FILE, "module"], "components": "t2v_2_2"},
        ),
    ],
)  # fmt: skip
def test_files_are_its_own_or_those_of_the_models_it_names(
    catalogue: Catalogue, tmp_path: Path, model: dict[str, Any], base: str, source: dict[str, Any]
) -> None:
    found = find(catalogue, tmp_path, model)
    module = catalogue.get("vace_14B_2_2").source.file[1]
    names = {"module": [module], "t2v_fusionix": list(catalogue.get("t2v_fusionix").source.file)}
    wanted = {
        key: [part for name in value for part in names.get(name, [name])]
        if isinstance(value, list)
        else value
        for key, value in source.items()
    }
    assert (found.base.name, found.source) == (base, wanted)
    assert found.defaults == {**catalogue.get(base).defaults, "steps": 7}


def test_a_local_file_lies_beside_the_definition(catalogue: Catalogue, tmp_path: Path) -> None:
    found = find(catalogue, tmp_path, {"architecture": "t2v", "URLs": ["ckpts/own.safetensors"]})
    assert found.source["file"] == [str(tmp_path / "ckpts/own.safetensors")]


def test_loras_are_its_own_or_the_accelerator_of_the_model_it_names(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    model = {
        "architecture": "t2v",
        "URLs": [OWN],
        "loras": [f"{HUB}/a.safetensors"],
        "loras_multipliers": [0.5],
    }
    assert find(catalogue, tmp_path, model).loras == ((f"{HUB}/a.safetensors", "0.5"),)
    same = find(
        catalogue, tmp_path, {"architecture": "vace_14B", "URLs": [OWN], "loras": "vace_14B_cocktail"}
    )
    assert (same.loras, same.defaults["accelerator"]) == ((), "cocktail")


def test_loras_of_a_model_without_any_are_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="loras: model 't2v' has none here"):
        find(catalogue, tmp_path, {"architecture": "t2v", "URLs": [OWN], "loras": "t2v"})


@pytest.mark.parametrize("module", ["multitalk", "t2v"])
def test_a_module_that_is_not_here_is_refused(catalogue: Catalogue, tmp_path: Path, module: str) -> None:
    with pytest.raises(RequestError, match=module):
        find(
            catalogue, tmp_path, {"architecture": "vace_14B", "URLs": [OWN], "modules": ["vace_14B", module]}
        )


def test_a_model_that_is_not_here_is_said_to_be_one(catalogue: Catalogue, tmp_path: Path) -> None:
    hunyuan = {"architecture": "hunyuan", "URLs": [OWN], "text_encoder_URLs": ["x"]}
    with pytest.raises(ModelError, match="architecture 'hunyuan', which no model here has"):
        find(catalogue, tmp_path, hunyuan)
    assert find(catalogue, tmp_path, hunyuan | {"text_encoder_URLs": None}, "t2v").base.name == "t2v"
    with pytest.raises(ModelError, match="of two transformers, but 'ti2v_2_2' has 1"):
        find(catalogue, tmp_path, {"architecture": "ti2v_2_2", "URLs": [OWN], "URLs2": [LOW]})


def test_files_that_are_no_definitions_are_weights_or_errors(catalogue: Catalogue, tmp_path: Path) -> None:
    assert find_definition(["a.safetensors"], None, catalogue) is None
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {}}))
    assert find_definition([str(index)], None, catalogue) is None
    index.write_text(json.dumps({"prompt": "a"}))
    with pytest.raises(RequestError, match="defines no model"):
        find_definition([str(index)], None, catalogue)
    index.write_text("{")
    with pytest.raises(RequestError, match="JSON"):
        find_definition([str(index)], None, catalogue)
