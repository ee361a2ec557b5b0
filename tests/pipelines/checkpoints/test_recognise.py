"""Which network weight files belong to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support import checkpoint_layouts, tiny
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.recognise import recognise


def test_the_network_with_the_parameters_of_a_file_is_found(tmp_path: Path) -> None:
    model, deeper = tiny.transformer(), tiny.transformer(num_layers=3)
    network, other = checkpoint_layouts.network_of(model), checkpoint_layouts.network_of(deeper, "deeper")
    files, _ = checkpoint_layouts.plain(model.state_dict(), tmp_path)
    assert recognise(files, [other, network]) == [network]
    with pytest.raises(ModelError, match="2 blocks, 48 wide, 16 channels; no network of the catalogue"):
        recognise(files, [other])


def test_a_file_without_the_input_layer_is_no_transformer(tmp_path: Path) -> None:
    files = checkpoint_layouts.save(tmp_path / "part.safetensors", {"blocks.0.bias": torch.zeros(2)})
    with pytest.raises(ModelError, match="has no patch_embedding"):
        recognise(files, [checkpoint_layouts.network_of(tiny.transformer())])
