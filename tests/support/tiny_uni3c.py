"""A tiny Uni3C: a control network beside text or image to video."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.support import tiny
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import Inputs, Weights
from wangp_cli.pipelines.wan.uni3c_network import HEAD, ControlNetwork

WIDTH, INNER, FEED, LAYERS = 48, 2 * HEAD, 96, 1
SHAPES = {
    "proj_out.0.weight": (WIDTH, INNER),
    "proj_out.0.bias": (WIDTH,),
    "controlnet_blocks.0.ffn.0.bias": (FEED,),
}
FILE = "uni3c.safetensors"
INPUTS = {
    "t2v": Inputs(control=tiny.clip(9, 3)),
    "i2v": Inputs(control=tiny.clip(9, 3), start=tiny.clip(1, 1)),
    "i2v_2_2": Inputs(control=tiny.clip(9, 3), start=tiny.clip(1, 1), end=tiny.clip(1, 2)),
}


def spec(name: str) -> ModelSpec:
    """The catalogue entry of the control on a tiny checkpoint."""
    base = tiny.spec(name)
    kind = f"uni3c_{tiny.architecture(name)}"
    own = {
        "name": f"tiny_{kind}",
        "architecture": kind,
        "traits": tiny.traits(kind),
        "accepts": base.accepts | {"control"},
    }
    return ModelSpec.model_validate(base.model_dump() | own)


def network() -> ControlNetwork:
    """The control network with random weights."""
    torch.manual_seed(5)
    made = ControlNetwork(SHAPES)
    for name, weight in made.named_parameters():
        torch.nn.init.normal_(weight, mean=float(name.endswith("norm.weight")), std=0.1)
    made.eval().requires_grad_(False)
    return made


def weights(base: Path, folder: Path) -> Weights:
    """Write the control network beside a tiny checkpoint."""
    save_file({name: value.contiguous() for name, value in network().state_dict().items()}, folder / FILE)
    return Weights(folder=base, files=(("control", (folder / FILE,)),))
