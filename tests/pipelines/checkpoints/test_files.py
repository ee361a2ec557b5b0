"""Weight files: safetensors, GGUF and pickles."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from tests.support import checkpoint_layouts, tiny
from tests.support.checkpoint_layouts import same
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    model = tiny.transformer()
    network = checkpoint_layouts.network_of(model)
    [whole], _ = checkpoint_layouts.plain(model.state_dict(), tmp_path)
    cases = {"cut.safetensors": whole.read_bytes()[:-100], "text.safetensors": b"hello", "cut.gguf": b"GGUF"}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=name):
            TransformerFiles(network, [tmp_path / name])
    with pytest.raises(ModelError, match="is missing"):
        TransformerFiles(network, [tmp_path / "gone.safetensors"])
    with pytest.raises(ModelError, match="is not a weight file"):
        TransformerFiles(network, [tmp_path / "weights.onnx"])


def test_a_pickle_is_read_only_when_allowed_and_runs_nothing(tmp_path: Path) -> None:
    model = tiny.transformer()
    network = checkpoint_layouts.network_of(model)
    files, expected = checkpoint_layouts.pickled(model.state_dict(), tmp_path)
    with pytest.raises(ModelError, match="is a pickle"):
        TransformerFiles(network, files)
    assert same(TransformerFiles(network, files, allow_pickle=True).build(torch.float32, "cpu"), expected)
    torch.save({"state_dict": {"x": Path("/")}}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match=r"evil.pth"):
        TransformerFiles(network, [tmp_path / "evil.pth"], allow_pickle=True)


def test_blocks_of_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "i32.gguf", "wan")
    writer.add_tensor("patch_embedding.bias", np.zeros(48, np.int32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match="I32"):
        TransformerFiles(checkpoint_layouts.network_of(tiny.transformer()), [tmp_path / "i32.gguf"])
