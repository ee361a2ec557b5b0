"""Loading: from files and folders, parts shared between pipelines, and broken checkpoints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support import tiny
from tests.support.checkpoint_layouts import network_of, original_names, save
from tests.support.wan import (
    load,
    run,
)
from wangp_cli.errors import GenerationError, ModelError
from wangp_cli.pipelines.base import Inputs, Placement, Weights
from wangp_cli.pipelines.wan import load as wan_load

CONTROL = ("vace_blocks.", "vace_patch_embedding.")


def split(network: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A network's weights without its control blocks, and those of the control blocks alone."""
    weights = network.state_dict()
    module = {name: value for name, value in weights.items() if name.startswith(CONTROL)}
    return {name: value for name, value in weights.items() if name not in module}, module


def write(path: Path, weights: dict[str, torch.Tensor]) -> Path:
    """A file in the original code's layout."""
    return save(path, original_names(weights))[0]


def test_vace_on_two_experts_from_files_is_that_of_the_folder(tmp_path: Path) -> None:
    stock = tiny.pipeline("vace_2_2")
    base, module = split(stock.transformer)
    stock.transformer_2.load_state_dict(module, strict=False)
    base_2, _ = split(stock.transformer_2)
    stock.save_pretrained(folder := tmp_path / "folder")
    written = {
        "transformer": (base, module),
        "transformer_2": (base_2, module),
    }
    files = tuple(
        (part, tuple(write(tmp_path / f"{part}{n}.safetensors", one) for n, one in enumerate(pair)))
        for part, pair in written.items()
    )
    spec, shot = tiny.spec("vace_2_2"), tiny.shot_for("vace_2_2", steps=4)
    inputs = Inputs(control=tiny.clip(9))
    made = []
    for place in (folder, Weights(folder=folder, files=files, network=network_of(stock.transformer))):
        pipeline = wan_load.load(spec, place, Placement(exact=True), [], tiny.Parts(), tiny.quiet)
        made.append(pipeline.denoise(shot, pipeline.encode(shot, inputs, tiny.quiet), tiny.quiet))
        assert [length for _, length in shot.phase_spans] == [2, 2]
    assert torch.equal(made[0], made[1])


@pytest.fixture
def copy(checkpoint: Any, tmp_path: Path) -> Path:
    """A text-to-video checkpoint to break."""
    return Path(shutil.copytree(checkpoint("t2v"), tmp_path / "copy"))


def test_pipelines_share_text_encoder_and_vae(checkpoint: Any) -> None:
    parts = tiny.Parts()
    text_to_video, vace = load(checkpoint("t2v"), parts=parts), load(checkpoint("vace"), "vace", parts)
    assert text_to_video._architecture.parts.text_encoder is vace._architecture.parts.text_encoder
    assert text_to_video._vae is vace._vae
    exact = load(checkpoint("t2v"), parts=parts, exact=True)
    assert exact._vae is not vace._vae


def cut_in_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def drop_a_key(file: Path) -> None:
    tensors = load_file(file)
    del tensors["blocks.1.attn1.to_q.weight"]
    save_file(tensors, file, metadata={"format": "pt"})


def add_a_key(file: Path) -> None:
    save_file(load_file(file) | {"extra": torch.zeros(1)}, file, metadata={"format": "pt"})


WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize(
    ("file", "breakage", "message"),
    [
        ("model_index.json", Path.unlink, "model_index.json is missing"),
        ("model_index.json", cut_in_half, "model_index.json cannot be read"),
        ("transformer/config.json", Path.unlink, "config.json is missing"),
        ("tokenizer/tokenizer.json", Path.unlink, "tokenizer.json is missing"),
        ("tokenizer", shutil.rmtree, "tokenizer.json is missing"),
        (WEIGHTS, Path.unlink, "has no safetensors file"),
        (WEIGHTS, cut_in_half, "diffusion_pytorch_model.safetensors is broken"),
        ("vae/diffusion_pytorch_model.safetensors", cut_in_half, "is broken"),
        ("text_encoder/model.safetensors", cut_in_half, "model.safetensors is broken"),
        (WEIGHTS, drop_a_key, "blocks.1.attn1.to_q.weight"),
        (WEIGHTS, add_a_key, "1 unexpected keys: extra"),
        ("text_encoder/model.safetensors", add_a_key, "1 unexpected keys: extra"),
    ],
)
def test_a_broken_checkpoint_is_refused_by_name(
    copy: Path, file: str, breakage: Callable[[Path], Any], message: str
) -> None:
    breakage(copy / file)
    with pytest.raises(ModelError, match=message):
        load(copy)


def test_a_missing_shard_is_named(copy: Path) -> None:
    index = {"weight_map": {"a": "diffusion_pytorch_model-00001-of-00002.safetensors"}}
    name = "diffusion_pytorch_model.safetensors.index.json"
    (copy / "transformer" / name).write_text(json.dumps(index))
    with pytest.raises(ModelError, match="00001-of-00002"):
        load(copy)


def test_weights_that_are_not_finite_name_the_step(copy: Path) -> None:
    tensors = load_file(copy / WEIGHTS)
    tensors["proj_out.bias"].fill_(float("nan"))
    save_file(tensors, copy / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(GenerationError, match="after step 4 of 6"):
        run(load(copy), tiny.shot(steps=6))


def test_without_mixed_precision_every_weight_has_the_dtype(checkpoint: Any) -> None:
    def dtypes(**placement: Any) -> set[torch.dtype]:
        pipeline = load(checkpoint("t2v"), dtype="bfloat16", **placement)
        return {weight.dtype for weight in pipeline._networks[0].parameters()}

    assert dtypes() == {torch.bfloat16, torch.float32}
    assert dtypes(mixed_precision=False) == {torch.bfloat16}
