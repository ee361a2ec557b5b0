"""Quantised weights of other tools."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support import checkpoint_layouts, tiny
from tests.support.checkpoint_layouts import IMAGE
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles


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
