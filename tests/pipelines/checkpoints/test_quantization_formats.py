"""Quantised weights of other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support import checkpoint_layouts, tiny
from tests.support.checkpoint_layouts import IMAGE
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
from wangp_cli.pipelines.checkpoints.files import open_weights
from wangp_cli.pipelines.checkpoints.key_names import KeyNames
from wangp_cli.pipelines.checkpoints.quantization_formats import parameters


def test_a_fused_layer_is_halved_after_its_scales_are_used(tmp_path: Path) -> None:
    model = tiny.transformer("WanAnimateTransformer3DModel", **IMAGE | tiny.FACE)
    weights = checkpoint_layouts.original_names(model.state_dict())
    key = "face_adapter.fuser_blocks.0.linear1_kv.weight"
    scale = weights[key].abs().amax(1, keepdim=True) / 127
    numbers = (weights.pop(key) / scale).round().to(torch.int8)
    files = checkpoint_layouts.save(
        tmp_path / "quanto.safetensors", weights | {f"{key}._data": numbers, f"{key}._scale": scale}
    )
    built = TransformerFiles(checkpoint_layouts.network_of(model), files).build(torch.float32, "cpu")
    both = torch.cat([built.face_adapter[0].to_k.weight, built.face_adapter[0].to_v.weight])
    assert torch.equal(both, numbers.float() * scale)


def test_a_quanto_weight_without_its_scale_is_refused(tmp_path: Path) -> None:
    model = tiny.transformer()
    [file], _ = checkpoint_layouts.quanto(model.state_dict(), tmp_path)
    keys = load_file(file)
    del keys["blocks.0.ffn.0.weight._scale"]
    with pytest.raises(ModelError, match=r"no scale for blocks.0.ffn.0.weight"):
        TransformerFiles(
            checkpoint_layouts.network_of(model), checkpoint_layouts.save(tmp_path / "cut.safetensors", keys)
        )


def note(**description: Any) -> torch.Tensor:
    """A `comfy_quant` description."""
    return torch.tensor(list(json.dumps(description).encode()), dtype=torch.uint8)


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("rows", ["number", "vector", "column"])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int8])
def test_scaled_numbers_of_eight_bits_are_dequantised(
    tmp_path: Path, dtype: torch.dtype, rows: str, described: bool
) -> None:
    torch.manual_seed(1)
    wanted = torch.randn(6, 4)
    most = 127 if dtype == torch.int8 else 400
    scale = {"number": wanted.abs().max(), "vector": wanted.abs().amax(1)}.get(
        rows, wanted.abs().amax(1, True)
    )
    scale = scale / most
    divided = wanted / (scale[:, None] if rows == "vector" else scale)
    numbers = (divided.round() if dtype == torch.int8 else divided).to(dtype)
    name = {torch.int8: "int8_tensorwise", torch.float8_e5m2: "float8_e5m2"}.get(dtype, "float8_e4m3fn")
    suffix = "_rowwise" if rows != "number" and dtype != torch.int8 else ""
    tensors = {"a.weight": numbers, "a.weight_scale": scale, "a.input_scale": torch.ones(1)}
    if described:
        tensors["a.comfy_quant"] = note(format=f"{name}{suffix}", full_precision_matrix_mult=False)
    save_file(tensors, tmp_path / "a.safetensors")
    [stored] = parameters([open_weights(tmp_path / "a.safetensors")], KeyNames()).values()
    assert torch.equal(stored.tensor(), numbers.float() * (scale[:, None] if rows == "vector" else scale))
    assert (stored.tensor() - wanted).abs().max() < (0.5 if dtype == torch.float8_e5m2 else 0.2)


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (note(format="nvfp4"), "quantised as nvfp4"),
        (note(format="int8_tensorwise", convrot=True), "int8_tensorwise with convrot"),
        (note(other=1), "quantised as None"),
        (torch.zeros(5, dtype=torch.uint8), "quantised as unknown"),
        (torch.zeros(5000, dtype=torch.uint8), "is too long"),
    ],
)
def test_a_description_that_asks_for_more_than_a_scale_is_refused(
    tmp_path: Path, described: torch.Tensor, said: str
) -> None:
    tensors = {"a.weight": torch.zeros(2, 2, dtype=torch.int8), "a.weight_scale": torch.ones(())}
    save_file(tensors | {"a.comfy_quant": described}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=said):
        parameters([open_weights(tmp_path / "a.safetensors")], KeyNames())
