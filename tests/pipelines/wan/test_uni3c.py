"""Uni3C against plain computations, and what it makes of its guide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support import cuda, tiny, tiny_uni3c
from tests.support.tiny_uni3c import INPUTS
from tests.support.wan import denoised
from wangp_cli.errors import ModelError, RequestError, ResourceError
from wangp_cli.pipelines.base import Placement, Weights
from wangp_cli.pipelines.denoise.inputs import to_tensor
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.pipelines.wan import pipeline as wan
from wangp_cli.pipelines.wan.uni3c import non_black

Load = Callable[..., wan.Wan]
BASES = ("t2v", "i2v", "i2v_2_2")


@pytest.fixture(scope="module")
def place(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Weights]:
    folder = tmp_path_factory.mktemp("uni3c")
    return lambda name: tiny_uni3c.weights(checkpoint(name), folder)


@pytest.fixture(scope="module")
def load(place: Callable[[str], Weights]) -> Load:
    parts, made = tiny.Parts(), {}

    def loaded(name: str = "i2v", weights: Weights | None = None, **placement: Any) -> wan.Wan:
        key = (name, weights, *placement.items())
        if key not in made:
            how = Placement(**({"exact": True} | placement))
            made[key] = wan_load.load(
                tiny_uni3c.spec(name), weights or place(name), how, [], parts, tiny.quiet
            )
        return made[key]

    return loaded


@pytest.mark.parametrize("name", BASES)
def test_without_strength_the_guide_changes_nothing(load: Load, loaded: Any, name: str) -> None:
    shot = tiny.shot_for(name)
    without = denoised(load(name), shot.replace(control_strength=0.0), INPUTS[name])
    assert torch.equal(without, denoised(loaded(name), shot, replace(INPUTS[name], control=None)))
    assert not torch.equal(without, denoised(load(name), shot, INPUTS[name]))


def test_it_computes_on_a_gpu(load: Load) -> None:
    here = denoised(load(), tiny.shot(), INPUTS["i2v"])
    with cuda.simulated():
        there = denoised(load(device="cuda"), tiny.shot(), INPUTS["i2v"])
        assert there.device.type == "cuda"
        assert torch.allclose(here, there.cpu(), atol=1e-4)


def test_an_untrained_network_changes_nothing(load: Load, loaded: Any) -> None:
    pipeline, shot = load("t2v"), tiny.shot()
    control: Any = pipeline._architecture.parts.control
    last = control.proj_out[0]
    kept = {name: value.clone() for name, value in last.state_dict().items()}
    last.load_state_dict({name: torch.zeros_like(value) for name, value in kept.items()})
    made = denoised(pipeline, shot, INPUTS["t2v"])
    last.load_state_dict(kept)
    assert torch.equal(made, denoised(loaded("t2v"), shot, replace(INPUTS["t2v"], control=None)))


@pytest.mark.parametrize(
    ("change", "inputs"),
    [
        ({}, {"control": tiny.clip(9, 4)}),
        ({}, {"start": tiny.clip(1, 9)}),
        ({"control_strength": 0.5}, {}),
        ({"control_start": 0.5}, {}),
        ({"control_end": 0.5}, {}),
        ({"guidance_scale": 1.0}, {}),
        ({"apg": True}, {}),
        ({"cfg_zero": True}, {}),
        ({"skip_layers": (1,)}, {}),
        ({"skip_layers": (0,)}, {}),
        ({"nag_scale": 5.0}, {}),
    ],
    ids=str,
)
def test_everything_given_changes_the_result(
    load: Load, change: dict[str, Any], inputs: dict[str, Any]
) -> None:
    pipeline, shot = load(), tiny.shot()
    made = denoised(pipeline, shot.replace(**change), replace(INPUTS["i2v"], **inputs))
    assert torch.isfinite(made).all()
    assert not torch.equal(made, denoised(pipeline, shot, INPUTS["i2v"]))


def test_the_control_network_runs_once_per_step_of_its_window(load: Load) -> None:
    pipeline, calls = load(), []
    control: Any = pipeline._architecture.parts.control
    hook = control.register_forward_hook(lambda *_: calls.append(1))
    counts = []
    for window in ((0.0, 1.0), (0.25, 0.75), (0.0, 0.5)):
        calls.clear()
        shot = tiny.shot(steps=4, control_start=window[0], control_end=window[1])
        denoised(pipeline, shot, INPUTS["i2v"])
        counts.append(len(calls))
    hook.remove()
    assert counts == [4, 2, 2]


def test_black_frames_of_a_guide_are_ignored(load: Load) -> None:
    guide = tiny.clip(9, 3)
    for black, spoken in (
        ((0,), [0, 1, 1]),
        ((1, 2, 3, 4), [1, 0, 1]),
        ((1, 2, 3), [1, 1, 1]),
        ((), [1, 1, 1]),
    ):
        frames = guide.frames.copy()
        frames[list(black)] = 0
        found = non_black(to_tensor(replace(guide, frames=frames)), 4)
        assert found.flatten().tolist() == spoken
    pipeline = load()
    dark = replace(guide, frames=np.zeros_like(guide.frames))
    condition: Any = pipeline.encode(tiny.shot(), replace(INPUTS["i2v"], control=dark), tiny.quiet).condition
    assert not condition.guide.any()


@pytest.mark.parametrize("placement", [{"profile": "4"}, {"profile": "2"}, {"boost": True}], ids=str)
def test_however_it_is_placed_the_result_is_the_same(
    load: Load, placement: dict[str, Any], tmp_path: Path
) -> None:
    made = denoised(load(**placement, work_dir=tmp_path), tiny.shot(), INPUTS["i2v"])
    assert torch.allclose(made, denoised(load(), tiny.shot(), INPUTS["i2v"]), atol=1e-4)


def test_unsupported_options_are_refused(load: Load) -> None:
    for field, value in (("compile", True), ("cache", "fbcache=0.1")):
        with pytest.raises(ResourceError, match=f"{field}: is not served for tiny_uni3c_i2v"):
            load(**{field: value})
    with pytest.raises(ResourceError, match="cache: is not served"):
        load().reconfigure(Placement(cache="fbcache=0.1"))
    with pytest.raises(RequestError, match="control: this model needs a guide video"):
        load().encode(tiny.shot(), replace(INPUTS["i2v"], control=None), tiny.quiet)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: held.pop("proj_in.bias"), "has no proj_in.bias, which Uni3C needs"),
        (lambda held: held.update(strange=torch.ones(1)), "does not know: strange"),
        (
            lambda held: held.update({"controlnet_blocks.0.ffn.2.weight": torch.ones(128, 32)}),
            r"ffn.2.weight of \[128, 32\], Uni3C needs \[128, 96\]",
        ),
    ],
    ids=["missing", "strange", "shape"],
)
def test_a_network_that_does_not_fit_is_refused_by_key(
    place: Callable[[str], Weights], load: Load, tmp_path: Path, change: Any, message: str
) -> None:
    found = place("i2v")
    held = load_file(dict(found.files)["control"][0])
    change(held)
    save_file(held, tmp_path / "wrong.safetensors")
    with pytest.raises(ModelError, match=message):
        load("i2v", replace(found, files=(("control", (tmp_path / "wrong.safetensors",)),)))


def test_a_network_for_another_width_is_refused(checkpoint: Any, tmp_path: Path) -> None:
    wide = tiny.save("t2v", tmp_path / "wide", num_attention_heads=4)
    with pytest.raises(ModelError, match="48 wide with 1 blocks, tiny_uni3c_t2v is 96 wide with 2 blocks"):
        wan_load.load(
            tiny_uni3c.spec("t2v"),
            tiny_uni3c.weights(wide, tmp_path),
            Placement(),
            [],
            tiny.Parts(),
            tiny.quiet,
        )
