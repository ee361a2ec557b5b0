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
from torch.nn import functional as nn

from tests.support import cuda, tiny, tiny_uni3c
from tests.support.tiny_uni3c import INPUTS
from tests.support.wan import denoised
from wangp_cli.errors import ModelError, RequestError, ResourceError
from wangp_cli.pipelines.base import Placement, Weights
from wangp_cli.pipelines.denoise.inputs import to_tensor
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.pipelines.wan import pipeline as wan
from wangp_cli.pipelines.wan.uni3c import non_black
from wangp_cli.pipelines.wan.uni3c_network import ControlResiduals

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


def plain(weights: dict[str, torch.Tensor], latents: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """What the control network adds to the first block, written out."""
    tokens = nn.conv3d(
        latents,
        weights["controlnet_patch_embedding.weight"],
        weights["controlnet_patch_embedding.bias"],
        stride=(1, 2, 2),
    )
    frames, rows, columns = tokens.shape[2:]

    def linear(name: str, values: torch.Tensor) -> torch.Tensor:
        return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shift, scale, gate = linear(f"{name}.linear", nn.silu(time)).chunk(3, dim=-1)
        own = nn.layer_norm(
            values, values.shape[-1:], weights[f"{name}.norm.weight"], weights[f"{name}.norm.bias"]
        )
        return own * (1 + scale) + shift, gate

    block = "controlnet_blocks.0"
    tokens = linear("proj_in", tokens.flatten(2)[0].T)
    normed, gate = norm(f"{block}.norm1", tokens)
    query, key = (
        nn.rms_norm(values, values.shape[-1:], weights[f"{block}.self_attn.norm_{part}.weight"], 1e-6)
        for part in "qk"
        for values in (linear(f"{block}.self_attn.to_{part}", normed),)
    )
    value = linear(f"{block}.self_attn.to_v", normed)
    places = torch.cartesian_prod(*(torch.arange(side) for side in (frames, rows, columns)))
    angles = torch.cat(
        [
            places[:, axis, None].double() * 10_000 ** -(torch.arange(0, side, 2).double() / side)
            for axis, side in enumerate((24, 20, 20))
        ],
        dim=1,
    )
    turned = torch.polar(torch.ones_like(angles), angles)
    found = []
    for head in (slice(0, 64), slice(64, 128)):
        q, k = (
            torch.view_as_real(
                torch.view_as_complex(part[:, head].double().unflatten(1, (-1, 2)).contiguous()) * turned
            ).flatten(1)
            for part in (query, key)
        )
        found.append(((q @ k.T / 8).softmax(dim=1) @ value[:, head].double()).float())
    tokens = tokens + gate * linear(f"{block}.self_attn.to_out.0", torch.cat(found, dim=1))
    normed, gate = norm(f"{block}.norm2", tokens)
    fed = linear(f"{block}.ffn.2", nn.gelu(linear(f"{block}.ffn.0", normed), approximate="tanh"))
    return linear("proj_out.0", tokens + gate * fed)


def test_the_first_block_gets_the_sum_written_out() -> None:
    network, control = tiny.transformer(in_channels=36), tiny_uni3c.network()
    random = torch.Generator().manual_seed(1)
    seen = torch.randn(1, 36, 3, 4, 6, generator=random)
    guide = torch.randn(1, 16, 3, 4, 6, generator=random)
    text = torch.randn(2, 8, 32, generator=random)
    given: list[torch.Tensor] = []
    times: list[torch.Tensor] = []
    hooks = [
        network.blocks[0].register_forward_hook(lambda _block, _inputs, output: given.append(output)),
        network.blocks[1].register_forward_pre_hook(lambda _block, inputs: given.append(inputs[0])),
        network.condition_embedder.register_forward_hook(lambda _e, _i, output: times.append(output[0])),
    ]
    with torch.no_grad(), ControlResiduals(control, guide, 0.5).added_to(network, seen):
        network(seen.repeat(2, 1, 1, 1, 1), torch.tensor([500, 500]), text)
    for hook in hooks:
        hook.remove()
    added = plain(control.state_dict(), torch.cat([seen[:, :20], guide], dim=1), times[0][:1])
    assert torch.allclose(given[1], given[0] + 0.5 * added, atol=1e-4)
    assert not network.blocks[0]._forward_hooks


def test_text_to_video_reads_zeros_where_no_frames_are_known() -> None:
    control, guide = tiny_uni3c.network(), torch.randn(1, 16, 3, 4, 4)
    joined = ControlResiduals(control, guide, 1.0)._control_input(torch.ones(1, 16, 3, 4, 4))
    assert joined.shape == (1, 36, 3, 4, 4)
    assert joined[:, :16].eq(1).all()
    assert joined[:, 16:20].eq(0).all()
    assert torch.equal(joined[:, 20:], guide)


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


def test_the_guide_is_read_once_for_both_passes_of_a_step_in_its_window(load: Load) -> None:
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


def test_black_frames_of_a_guide_say_nothing(load: Load) -> None:
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


def test_what_would_be_done_wrongly_is_refused(load: Load) -> None:
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
