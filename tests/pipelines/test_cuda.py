"""What computes on a CPU computes on a GPU: nothing is left on the wrong device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import cuda, tiny
from tests.support.lora_files import LAYOUTS, draw, saved
from tests.support.wan import INPUTS, SVI, load, run
from wangp_cli.pipelines.base import Inputs
from wangp_cli.pipelines.memory import placement
from wangp_cli.pipelines.wan import pipeline as wan
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.shot import Shot

Folder = Callable[[str], Path]
DEVICES = ("cpu", "cuda")


@pytest.fixture(autouse=True)
def simulated() -> Iterator[None]:
    with cuda.simulated():
        yield


def test_devices_do_not_mix() -> None:
    here, there = torch.ones(3), torch.ones(3, device="cuda")
    assert there.device == torch.device("cuda:0")
    assert ((there + there).cpu() == 2).all()
    assert (there * torch.tensor(2.0)).sum().item() == 6
    for mixed in (
        lambda: here + there,
        lambda: here[there.long()],
        lambda: torch.cat([here, there]),
        lambda: torch.nn.Linear(3, 3)(there),
        lambda: torch.randn(3, device="cuda", generator=torch.Generator()),
        there.numpy,
    ):
        with pytest.raises((RuntimeError, TypeError)):
            mixed()


def test_it_is_found() -> None:
    found = placement.choose(Runtime())
    assert (found.device, found.dtype) == ("cuda", "bfloat16")


def latents(pipeline: wan.Wan, shot: Shot, inputs: Inputs) -> torch.Tensor:
    made = pipeline.denoise(shot, pipeline.encode(shot, inputs, tiny.quiet), tiny.quiet)
    assert made.device.type == pipeline.placement.device
    return made.cpu()


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        pytest.param(name, inputs, marks=[] if name in ("t2v", "i2v", "vace") else pytest.mark.slow)
        for name, inputs in [*((name, INPUTS[tiny.architecture(name)]) for name in tiny.NAMES), ("i2v", SVI)]
    ],
)
def test_every_architecture_computes_the_same(
    name: str, inputs: Inputs, checkpoint: Folder, loaded: Callable[[str], wan.Wan]
) -> None:
    pipelines = (loaded(name), load(checkpoint(name), name, device="cuda", exact=True))
    here, there = (run(pipeline, tiny.shot_for(name), inputs) for pipeline in pipelines)
    assert np.abs(here - there).max() < 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize(
    "change",
    [
        *({"sampler": sampler} for sampler in ("euler", "euler_ancestral", "dpm++", "causvid", "lcm")),
        {"cfg_zero": True},
        {"apg": True},
        {"nag_scale": 5.0},
        {"skip_layers": (1,)},
        {"guide_given": False},
        {"denoising_strength": 0.5},
    ],
)
def test_every_way_of_sampling_does(change: dict[str, Any], checkpoint: Folder) -> None:
    shot, inputs = tiny.shot_for("vace", **change), replace(INPUTS["vace"], initial=tiny.clip(9, 8))
    here, there = (latents(load(checkpoint("vace"), "vace", device=each), shot, inputs) for each in DEVICES)
    assert torch.allclose(here, there, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        *({"profile": profile} for profile in ("3", "4", "5")),
        *({"transformer_quantization": kind, "text_encoder_quantization": kind} for kind in ("int8", "fp8")),
        {"boost": True},
        {"cache": "fbcache=0.1"},
    ],
)
def test_every_placement_does(how: dict[str, Any], checkpoint: Folder, tmp_path: Path) -> None:
    shot = tiny.shot_for("vace")
    here, there = (
        latents(
            load(checkpoint("vace"), "vace", device=device, work_dir=tmp_path, **how), shot, INPUTS["vace"]
        )
        for device in DEVICES
    )
    assert torch.allclose(here, there, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["1", "4"])
def test_loras_are_put_on_and_taken_off(profile: Any, checkpoint: Folder, tmp_path: Path) -> None:
    style = saved(tmp_path, LAYOUTS["musubi"](draw(tiny.transformer())), "1")
    pipelines = [load(checkpoint("t2v"), device=device, profile=profile) for device in DEVICES]
    made = []
    for loras in ([], [style], []):
        for pipeline in pipelines:
            pipeline.set_loras(loras)
        here, there = (latents(pipeline, tiny.shot(), Inputs()) for pipeline in pipelines)
        assert torch.allclose(here, there, atol=1e-4)
        made.append(there)
    assert torch.equal(made[0], made[2])
    assert not torch.allclose(made[0], made[1], atol=1e-2)


@pytest.mark.slow
def test_tiles_are_decoded(checkpoint: Folder) -> None:
    pipeline = load(checkpoint("t2v"), device="cuda")
    code = latents(pipeline, tiny.shot(size="160x128"), Inputs()).to("cuda")
    whole, tiled = (
        np.concatenate(list(pipeline.decode(code, tiny.quiet, tile).frames)) for tile in (None, 64)
    )
    assert whole.shape == tiled.shape
    assert np.abs(whole - tiled).mean() < 0.05
