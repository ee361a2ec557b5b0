"""Calls of a network: arguments, batches of prompts, dtypes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from tests.support import tiny
from wangp_cli.pipelines.denoise.condition import Condition, NetworkCall
from wangp_cli.pipelines.denoise.steps import Step

STEP = Step(
    index=0,
    steps=1,
    phase=0,
    phase_index=0,
    phase_steps=1,
    expert=0,
    timestep=torch.tensor(500.0),
    guidance_scale=1.0,
)


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True, kw_only=True, eq=False)
class Controlled(Condition):
    """A condition with further arguments, as VACE has them."""

    control: torch.Tensor
    scale: torch.Tensor

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        return super().arguments(network, latents, timestep) | {
            "control_hidden_states": self.control,
            "control_hidden_states_scale": self.scale,
        }


def vace_call() -> NetworkCall:
    network = tiny.transformer("WanVACETransformer3DModel", vace_layers=[0, 1], vace_in_channels=96)
    condition = Controlled(control=random(2, 1, 96, 2, 4, 4), scale=torch.tensor([1.0, 0.5]))
    return NetworkCall(network=network, condition=condition, latents=random(1, 1, 16, 2, 4, 4), step=STEP)


def test_two_prompts_in_one_batch_equal_two_passes() -> None:
    call, one, other = vace_call(), random(3, 1, 8, 32), random(4, 1, 8, 32)
    with torch.inference_mode():
        pair = call.predict_pair(one, other)
        apart = call.predict(one), call.predict(other)
    for together, alone in zip(pair, apart, strict=True):
        assert together.shape == call.latents.shape
        assert torch.allclose(together, alone, atol=1e-5)
    assert not torch.allclose(*apart, atol=1e-3)


def test_another_condition_replaces_that_of_the_call() -> None:
    call, prompt = vace_call(), random(3, 1, 8, 32)
    assert isinstance(call.condition, Controlled)
    weaker = Controlled(control=call.condition.control, scale=torch.zeros(2))
    with torch.inference_mode():
        assert not torch.equal(call.predict(prompt), call.predict(prompt, weaker))
        assert torch.equal(call.predict(prompt), call.predict(prompt, call.condition))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_network_gets_latents_in_the_dtype_of_the_prompt(dtype: torch.dtype) -> None:
    network = tiny.transformer().to(dtype)
    seen: list[torch.dtype] = []
    network.register_forward_pre_hook(
        lambda _, __, arguments: seen.append(arguments["hidden_states"].dtype), with_kwargs=True
    )
    with torch.inference_mode():
        Condition().predict(
            network, random(1, 1, 16, 2, 4, 4), torch.tensor(500.0), random(3, 1, 8, 32).to(dtype)
        )
    assert seen == [dtype]


def test_a_plain_condition_adds_nothing_to_a_video() -> None:
    condition, video = Condition(), random(1, 1, 16, 2, 4, 4)
    assert condition.latent_frames(5) == 5
    assert condition.negative_condition is condition
    assert condition.video_latents(condition.add_extra_latents(video)) is video
