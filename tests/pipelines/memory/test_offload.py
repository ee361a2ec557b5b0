"""Weights that wait elsewhere compute the same bits."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny
from tests.support.wan import INPUTS, call, load, networks, run
from wangp_cli.pipelines.base import Placement
from wangp_cli.pipelines.memory.offload import WeightOffloader, _OffloadHook
from wangp_cli.pipelines.memory.profiles import ON_CPU, ON_GPU, Offload

WAYS = {
    "turns": Offload(turns=True),
    "turns on disk": Offload(turns=True, disk=True),
    "blocks": Offload(groups="block"),
    "blocks on disk": Offload(groups="block", disk=True),
    "leaves": Offload(groups="leaf"),
    "leaves on disk": Offload(groups="leaf", disk=True),
}


def numbers(network: Any) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("way", WAYS)
def test_weights_that_wait_compute_the_same_bits(way: str, tmp_path: Path) -> None:
    expected = [call(network) for network in networks()]
    offloader, kept = WeightOffloader(Placement(work_dir=tmp_path), WAYS[way]), networks()
    for network in kept:
        offloader.add(network)
    for _ in range(2):
        assert [torch.equal(call(network), like) for network, like in zip(kept, expected, strict=True)] == [
            True,
            True,
        ]


def test_large_parts_take_turns_on_the_disk(tmp_path: Path) -> None:
    offloader, (vace, text) = WeightOffloader(Placement(profile="3", work_dir=tmp_path)), networks()
    whole = numbers(vace), numbers(text)
    offloader.add(vace)
    offloader.add(text)
    assert (numbers(vace), numbers(text)) == (0, 0)
    call(vace)
    assert (numbers(vace), numbers(text)) == (whole[0], 0)
    call(text)
    assert (numbers(vace), numbers(text)) == (0, whole[1])
    offloader.offload_all()
    assert (numbers(vace), numbers(text)) == (0, 0)


def test_something_else_that_needs_memory_sends_them_away(tmp_path: Path) -> None:
    offloader, (vace, _) = WeightOffloader(Placement(profile="3", work_dir=tmp_path)), networks()
    decoder = torch.nn.Linear(2, 2)
    offloader.add(vace)
    offloader.offload_all_before(decoder)
    call(vace)
    decoder(torch.zeros(1, 2))
    assert numbers(vace) == 0


@pytest.mark.parametrize(("profile", "share"), [("4", 0.4), ("5", 0.02)])
def test_groups_leave_after_their_own_call(profile: Any, share: float, tmp_path: Path) -> None:
    offloader, (vace, _) = WeightOffloader(Placement(profile=profile, work_dir=tmp_path)), networks()
    whole = numbers(vace)
    offloader.add(vace)
    assert numbers(vace) < share * whole
    call(vace)
    assert numbers(vace) < share * whole


def test_what_preload_allows_stays(tmp_path: Path) -> None:
    offloader, (vace, _) = WeightOffloader(Placement(profile="4", preload=1, work_dir=tmp_path)), networks()
    whole = numbers(vace)
    offloader.add(vace)
    assert numbers(vace) == whole


@pytest.mark.parametrize("way", WAYS)
def test_weights_that_were_changed_are_kept_anew(way: str, tmp_path: Path) -> None:
    offloader, (vace, _) = WeightOffloader(Placement(work_dir=tmp_path), WAYS[way]), networks()
    offloader.add(vace)
    before = call(vace)
    with offloader.onloaded(vace):
        vace.proj_out.weight.data.mul_(2)
        vace.proj_out.bias.data.mul_(2)
    offloader.offload_all()
    assert torch.equal(call(vace), before * 2)


@pytest.mark.parametrize("way", WAYS)
def test_a_lora_can_be_put_on_weights_that_wait(way: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = {
        "blocks.0.attn1.to_q.lora_A.weight": torch.randn(2, 48),
        "blocks.0.attn1.to_q.lora_B.weight": torch.randn(48, 2),
    }
    plain = networks()[0]
    plain.load_lora_adapter(dict(state), prefix=None, adapter_name="x")
    offloader, (vace, _) = WeightOffloader(Placement(work_dir=tmp_path), WAYS[way]), networks()
    offloader.add(vace)
    before = call(vace)
    with offloader.onloaded(vace):
        vace.load_lora_adapter(dict(state), prefix=None, adapter_name="x")
    assert torch.equal(call(vace), call(plain))
    vace.disable_lora()
    assert torch.equal(call(vace), before)


def test_what_waits_on_the_disk_goes_with_its_network(tmp_path: Path) -> None:
    offloader, (vace, _) = WeightOffloader(Placement(profile="5", work_dir=tmp_path)), networks()
    offloader.add(vace)
    assert list(tmp_path.rglob("*.safetensors"))
    del vace
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["t2v", "i2v", "vace", "diffusion_forcing"])
@pytest.mark.parametrize("profile", ["2", "3", "4", "5"])
def test_profiles_give_the_same_bits(
    checkpoint: Any, loaded: Any, name: str, profile: str, tmp_path: Path
) -> None:
    shot = tiny.shot()
    expected = run(loaded(name), shot, INPUTS[name])
    pipeline = load(checkpoint(name), name, exact=True, profile=profile, work_dir=tmp_path)
    assert np.array_equal(run(pipeline, shot, INPUTS[name]), expected)
    assert np.array_equal(run(pipeline, shot, INPUTS[name]), expected)


def test_every_profile_has_a_meaning_everywhere() -> None:
    assert set(ON_CPU) == set(ON_GPU) == set("12345")
    assert not any(how.pinned for how in ON_CPU.values())


@pytest.mark.parametrize("name", ["t2v_2_2", "i2v_2_2"])
def test_two_experts_take_turns(checkpoint: Any, loaded: Any, name: str, tmp_path: Path) -> None:
    shot, inputs = tiny.shot_for(name, steps=4), INPUTS[name.removesuffix("_2_2")]
    pipeline = load(checkpoint(name), name, exact=True, profile="3", work_dir=tmp_path)
    assert np.array_equal(run(pipeline, shot, inputs), run(loaded(name), shot, inputs))
    assert sum(numbers(network) > 0 for network in pipeline._networks) == 0


def test_phases_of_several_tasks_move_each_part_once(
    checkpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = load(checkpoint("t2v"), profile="3", work_dir=tmp_path)
    moves: list[Any] = []
    onload = _OffloadHook.onload

    def counted(self: Any) -> None:
        moves.extend([] if self._on_device else [self._module()])
        onload(self)

    monkeypatch.setattr(_OffloadHook, "onload", counted)
    shots = [tiny.shot(prompt="a red circle"), tiny.shot(prompt="a blue square")]
    conditionings = [pipeline.encode(shot, INPUTS["t2v"], tiny.quiet) for shot in shots]
    for shot, conditioning in zip(shots, conditionings, strict=True):
        pipeline.denoise(shot, conditioning, tiny.quiet)
    assert [type(module).__name__ for module in moves] == ["UMT5EncoderModel", "WanTransformer3DModel"]
