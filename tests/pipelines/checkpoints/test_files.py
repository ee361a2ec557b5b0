"""Weight files: safetensors, GGUF and pickles."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from tests.support import checkpoint_layouts, tiny
from tests.support.checkpoint_layouts import same
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
from wangp_cli.pipelines.checkpoints.files import open_network, open_weights, weight_files


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


def shards(folder: Path) -> list[Path]:
    """Weights in two files."""
    weights = list(tiny.transformer().state_dict().items())
    names = [f"w-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for name, part in zip(names, (weights[::2], weights[1::2]), strict=True):
        checkpoint_layouts.save(folder / name, dict(part))
    return [folder / name for name in names]


def test_a_folder_or_an_index_stands_for_its_files(tmp_path: Path) -> None:
    files = shards(tmp_path)
    assert weight_files(tmp_path) == files
    index = tmp_path / "w.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": files[0].name, "b": files[1].name}}))
    assert weight_files(tmp_path) == weight_files(index) == files
    (tmp_path / "other.safetensors").write_bytes(files[0].read_bytes())
    assert weight_files(tmp_path) == files
    assert weight_files(files[0]) == files[:1]
    network = checkpoint_layouts.network_of(tiny.transformer())
    assert TransformerFiles(network, weight_files(index)).shapes()


def test_a_folder_that_is_not_one_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no weight file"):
        weight_files(tmp_path)
    for name in ("high.safetensors", "low.safetensors"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelError, match=r"several weight files.*high.safetensors, low.safetensors"):
        weight_files(tmp_path)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(ModelError, match="is a model in diffusers layout"):
        weight_files(tmp_path)
    (tmp_path / "a.index.json").write_text('{"weight_map": {"a": "../b"}}')
    with pytest.raises(ModelError, match=r"a.index.json is broken: it names '../b'"):
        weight_files(tmp_path / "a.index.json")


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("first_stage_model.decoder.conv_in.weight", "a VAE"),
        ("vae.decoder.conv_in.weight", "a VAE"),
        ("text_encoders.umt5xxl.shared.weight", "a text encoder"),
        ("cond_stage_model.transformer.weight", "a text encoder"),
    ],
)
def test_an_all_in_one_file_is_said_to_be_one(tmp_path: Path, key: str, part: str) -> None:
    weights = {
        f"model.diffusion_model.{name}": value for name, value in tiny.transformer().state_dict().items()
    }
    file = checkpoint_layouts.save(tmp_path / "aio.safetensors", weights | {key: torch.zeros(2)})
    with pytest.raises(ModelError, match=f"aio.safetensors is an all-in-one file: it also holds {part}"):
        open_network(file)


def test_the_weights_of_an_average_are_found_in_a_pickle(tmp_path: Path) -> None:
    model = tiny.transformer()
    named = checkpoint_layouts.original_names(model.state_dict())
    state = {f"model.{key}": value for key, value in named.items()}
    other = {key: value + 1 for key, value in state.items()}
    path = tmp_path / "self_forcing.pt"
    torch.save({"generator": other, "generator_ema": state, "step": 5}, path)
    files = TransformerFiles(checkpoint_layouts.network_of(model), [path], allow_pickle=True)
    assert same(files.build(torch.float32, "cpu"), model.state_dict())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="is not a file"):
        open_weights(tmp_path / "a.safetensors")


def test_a_pickle_of_an_old_version_is_read(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(3)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert open_weights(tmp_path / "a.pth", allow_pickle=True).tensor("x").tolist() == [1, 1, 1]


def _pickle(old: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"x": torch.ones(300)}, buffer, _use_new_zipfile_serialization=not old)
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}q\x00.")
    return buffer.getvalue()


PICKLES = {
    "empty": b"",
    "text": b"hello",
    "a web page": b"<!DOCTYPE html>",
    "an archive without weights": _zip(),
    "cut": _pickle(old=False)[:-300],
    "cut in the middle": _pickle(old=False)[:600],
    "old and cut": _pickle(old=True)[:-100],
    "old and cut early": _pickle(old=True)[:30],
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "an endless text": b"\x80\x02T\xff\xff\xff\x7f.",
    "damaged": _pickle(old=False).replace(b"storage", b"st\xffrage"),
}


@pytest.mark.parametrize("case", PICKLES)
def test_a_damaged_pickle_is_one_clear_message(tmp_path: Path, case: str) -> None:
    (tmp_path / "a.pth").write_bytes(PICKLES[case])
    with pytest.raises(ModelError, match=r"a.pth (is broken|cannot be read): ['\w]"):
        open_weights(tmp_path / "a.pth", allow_pickle=True)


def test_a_document_of_comfyui_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"1": {"class_type": "KSampler", "inputs": {}}}))
    with pytest.raises(ModelError, match=r"a.json is not a weight file.*it is an API prompt of ComfyUI"):
        open_weights(tmp_path / "a.json")
