"""Two experts from files: the base of each, and one control module for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.support import tiny
from tests.support.checkpoint_layouts import network_of, original_names, save
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
