from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.auxiliary.single_file import fill, open_single
from wangp_cli.pipelines.base import Weights


def test_the_only_weight_file_of_a_folder_is_opened(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="has not one weight file but none"):
        open_single(Weights(folder=tmp_path))
    save_file({"x": torch.ones(1)}, tmp_path / "a.safetensors")
    assert open_single(Weights(folder=tmp_path)).path.name == "a.safetensors"
    save_file({"x": torch.ones(1)}, tmp_path / "b.safetensors")
    with pytest.raises(ModelError, match=r"has not one weight file but a.safetensors, b.safetensors"):
        open_single(Weights(folder=tmp_path))


def test_a_network_takes_the_tensors_of_a_file_and_the_dtype(tmp_path: Path) -> None:
    save_file({"net.weight": torch.full((2, 3), 0.5), "net.bias": torch.zeros(2)}, tmp_path / "a.safetensors")
    file = open_single(Weights(folder=tmp_path))
    keys = {key.removeprefix("net."): key for key in file.tensor_info}
    with torch.device("meta"):
        network, other = nn.Linear(3, 2), nn.Linear(2, 2)
    fill(network, file, keys, "a net", "cpu", torch.bfloat16)
    assert network.weight.dtype == torch.bfloat16
    assert network.weight.eq(0.5).all()
    with pytest.raises(ModelError, match=r"no complete pair: weight is \(2, 3\), expected \(2, 2\)"):
        fill(other, file, keys, "pair", "cpu", torch.float32)
    with pytest.raises(ModelError, match=r"extra is \(2,\), expected no such tensor"):
        fill(network, file, {**keys, "extra": "net.bias"}, "net", "cpu", torch.float32)


def test_counters_keep_their_dtype(tmp_path: Path) -> None:
    with torch.device("meta"):
        network = nn.BatchNorm2d(2)
    save_file(nn.BatchNorm2d(2).state_dict(), tmp_path / "a.safetensors")
    file = open_single(Weights(folder=tmp_path))
    fill(network, file, {key: key for key in file.tensor_info}, "norm", "cpu", torch.float16)
    assert network.num_batches_tracked.dtype == torch.int64
    assert network.running_mean.dtype == torch.float16
