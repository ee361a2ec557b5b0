"""Safetensors files that are written tensor by tensor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from wangp_cli.pipelines.checkpoints import safetensors_writer
from wangp_cli.pipelines.checkpoints.safetensors_writer import TensorSpec, total_bytes, write_part

TENSORS = {
    "a": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "b": torch.arange(5, dtype=torch.uint8),
    "c": torch.ones(8, dtype=torch.bfloat16),
}
SPECS = {name: TensorSpec(value.dtype, tuple(value.shape)) for name, value in TENSORS.items()}


def check(files: list[Path]) -> None:
    """The files hold the tensors, bit for bit."""
    found = {name: value for file in files for name, value in load_file(file).items()}
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], value) for name, value in TENSORS.items())


def test_a_written_file_is_read_by_safetensors(tmp_path: Path) -> None:
    reported: list[int] = []
    write_part(tmp_path, "model", SPECS, TENSORS.__getitem__, reported.append)
    check([tmp_path / "model.safetensors"])
    assert total_bytes(SPECS) == 24 + 5 + 16
    assert reported == sorted(reported)
    assert reported[-1] == total_bytes(SPECS)


def test_shards_have_an_index_and_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors_writer, "SHARD_BYTES", 30)
    asked: list[str] = []
    reported: list[int] = []

    def tensor(name: str) -> torch.Tensor:
        asked.append(name)
        return TENSORS[name]

    for _ in range(2):
        write_part(tmp_path, "model", SPECS, tensor, reported.append)
    assert sorted(asked) == ["a", "b", "c"]
    assert reported[-1] == total_bytes(SPECS)
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    check([tmp_path / name for name in names])
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index == {
        "metadata": {"total_size": total_bytes(SPECS)},
        "weight_map": {"a": names[0], "b": names[0], "c": names[1]},
    }


def test_a_tensor_that_is_not_what_was_announced_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a is torch\.float32"):
        write_part(tmp_path, "model", {"a": TensorSpec(torch.float16, (2, 3))}, TENSORS.__getitem__, print)
    assert not list(tmp_path.glob("*.safetensors"))
