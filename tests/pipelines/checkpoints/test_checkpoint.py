"""Telling parts of checkpoints apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.pipelines.checkpoints import part_files
from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint


@pytest.fixture
def pair(checkpoint: Any, tmp_path: Path) -> tuple[Checkpoint, Path]:
    """A checkpoint, and the folder of its copy."""
    original = checkpoint("t2v")
    return Checkpoint(original), Path(shutil.copytree(original, tmp_path / "copy"))


def test_copies_are_equal_and_other_weights_are_not(pair: tuple[Checkpoint, Path]) -> None:
    original, copy = pair
    assert Checkpoint(copy).identity("vae") == original.identity("vae")
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert Checkpoint(copy).identity("vae") != original.identity("vae")


def test_who_wrote_the_configuration_makes_no_difference(pair: tuple[Checkpoint, Path]) -> None:
    original, copy = pair
    file = copy / "vae" / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"_name_or_path": "elsewhere", "_diffusers_version": "0.1"}))
    assert Checkpoint(copy).identity("vae") == original.identity("vae")
    file.write_text(json.dumps(config | {"base_dim": 8}))
    assert Checkpoint(copy).identity("vae") != original.identity("vae")


def test_large_files_are_told_apart_by_the_name_a_hub_cache_gives_them(
    pair: tuple[Checkpoint, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, copy = pair
    monkeypatch.setattr(part_files, "HASHED_BYTES", 10)
    assert Checkpoint(copy).identity("vae") != original.identity("vae")
    folders = []
    for name in ("a", "b"):
        folders.append(Path(shutil.copytree(copy, copy.parent / name)))
        weights = folders[-1] / "vae" / "diffusion_pytorch_model.safetensors"
        blob = weights.rename(folders[-1] / ("0f" * 32))
        weights.symlink_to(blob)
    first, second = (Checkpoint(folder).identity("vae") for folder in folders)
    assert first == second


@pytest.mark.parametrize(
    ("kind", "has"),
    [
        (["transformers", "CLIPVisionModel"], True),
        ([None, None], False),
        (True, False),
        ("x", False),
        (None, False),
    ],
)
def test_a_part_is_there_if_the_index_names_its_class(
    pair: tuple[Checkpoint, Path], kind: object, has: bool
) -> None:
    file = pair[1] / "model_index.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"image_encoder": kind}))
    assert Checkpoint(pair[1]).has("image_encoder") == has
