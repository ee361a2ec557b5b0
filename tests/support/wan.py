"""Tiny Wan pipelines: inputs of every kind, loading, running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import WanVACETransformer3DModel

from tests.support import tiny
from wangp_cli.pipelines.base import Inputs, Placement
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.pipelines.wan import pipeline as wan
from wangp_cli.plan.camera_paths import Pose, path_cameras, relative_poses
from wangp_cli.tasks.shot import Shot


def camera(path: str, frames: int = 9) -> tuple[Pose, ...]:
    """Poses on a known path."""
    return tuple(relative_poses(path_cameras(path, frames)))


NOTHING = Inputs()


EVERYTHING = Inputs(
    start=tiny.clip(1, 1),
    end=tiny.clip(1, 2),
    control=tiny.clip(9, 3),
    mask=tiny.clip(9, 4, channels=1),
    references=(tiny.clip(1, 5), tiny.clip(1, 6)),
)


BOTH_ENDS = Inputs(start=tiny.clip(1, 1), end=tiny.clip(1, 2))


INPUTS = {
    "t2v": Inputs(),
    "i2v": BOTH_ENDS,
    "flf2v": BOTH_ENDS,
    "vace": EVERYTHING,
    "ti2v": Inputs(start=tiny.clip(1, 1, size=64)),
    "phantom": Inputs(references=EVERYTHING.references),
    "diffusion_forcing": Inputs(start=tiny.clip(1, 1)),
    "animate": Inputs(
        control=tiny.clip(9, 3),
        mask=tiny.clip(9, 4, channels=1),
        face=tiny.clip(9, 5, size=20),
        background=tiny.clip(9, 6),
        references=(tiny.clip(1, 7),),
    ),
    "recam": Inputs(control=tiny.clip(9, 3), camera=camera("arc-left")),
}


MINIMAL_INPUTS = {
    "t2v": Inputs(),
    "i2v": Inputs(start=tiny.clip(1)),
    "flf2v": Inputs(start=tiny.clip(1), end=tiny.clip(1, 1)),
    "vace": Inputs(control=tiny.clip(9)),
    "ti2v": Inputs(),
    "diffusion_forcing": Inputs(start=tiny.clip(1)),
    "recam": Inputs(control=tiny.clip(9), camera=camera("arc-left")),
}
"""What each architecture needs at least, without a mask or references."""


def run(pipeline: Any, shot: Shot, inputs: Inputs = NOTHING, progress: Any = tiny.quiet) -> Any:
    latents = pipeline.denoise(shot, pipeline.encode(shot, inputs, progress), progress)
    return np.concatenate(list(pipeline.decode(latents, progress).frames))


def load(folder: Path, name: str = "t2v", parts: Any = None, **placement: Any) -> wan.Wan:
    return wan_load.load(
        tiny.spec(name), folder, Placement(**placement), [], parts or tiny.Parts(), tiny.quiet
    )


ANCHOR, MOTION, ENDING = tiny.clip(1, 1), tiny.clip(9, 2), tiny.clip(4, 3)


SVI = Inputs(anchor=ANCHOR, motion=MOTION, end=ENDING)


def ratios(folder: Path, model: str, values: list[float]) -> None:
    (folder / "magcache").mkdir(exist_ok=True)
    (folder / "magcache" / f"{model}.json").write_text(json.dumps({"ratios": [values]}))


def denoised(pipeline: Any, shot: Any, inputs: Inputs) -> torch.Tensor:
    latents: torch.Tensor = pipeline.denoise(shot, pipeline.encode(shot, inputs, tiny.quiet), tiny.quiet)
    return latents


def networks() -> tuple[Any, Any]:
    vace = tiny.transformer("WanVACETransformer3DModel", vace_layers=[0, 1], vace_in_channels=96)
    return vace, tiny.text_encoder()


def call(network: Any) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        if not isinstance(network, WanVACETransformer3DModel):
            return network(torch.arange(8)[None]).last_hidden_state
        return network(
            hidden_states=torch.randn(1, 16, 2, 4, 4, generator=random),
            timestep=torch.tensor([500.0]),
            encoder_hidden_states=torch.randn(1, 24, 32, generator=random),
            control_hidden_states=torch.randn(1, 96, 2, 4, 4, generator=random),
            return_dict=False,
        )[0]
