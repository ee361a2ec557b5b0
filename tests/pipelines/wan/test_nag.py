"""Normalised attention guidance, against a plain computation and in passes of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as nn

from tests.support import tiny
from tests.support.wan import MINIMAL_INPUTS, denoised
from wangp_cli.pipelines.wan import nag


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (1, 4, 3, 2, 5)), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ["t2v", "i2v", "vace", "diffusion_forcing"])
def test_attention_guidance_brings_the_negative_prompt_into_one_pass(loaded: Any, name: str) -> None:
    pipeline, inputs = loaded(name), MINIMAL_INPUTS[name]
    shot = tiny.shot(guidance_scale=1.0)
    calls: list[int] = []
    hook = pipeline._networks[0].register_forward_hook(lambda *_: calls.append(1))
    try:
        made = [
            denoised(pipeline, shot.replace(nag_scale=scale, negative_prompt=negative), inputs)
            for scale, negative in ((1.0, "blurry"), (1.0, "green"), (5.0, "blurry"), (5.0, "green"))
        ]
    finally:
        hook.remove()
    assert len(calls) == 4 * shot.steps
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[2], made[3])


@pytest.mark.parametrize(("scale", "tau", "alpha"), [(11.0, 2.5, 0.25), (5.0, 3.5, 0.5), (1.0, 3.5, 0.5)])
def test_normalised_attention_is_that_of_a_plain_computation(scale: float, tau: float, alpha: float) -> None:
    positive, negative = random(1, 1, 6, 8), random(2, 1, 6, 8)
    p, n = positive.double().numpy(), negative.double().numpy()
    moved = scale * p - (scale - 1) * n
    ratio = np.abs(moved).sum(-1, keepdims=True) / np.abs(p).sum(-1, keepdims=True)
    wanted = alpha * np.where(ratio > tau, moved * tau / ratio, moved) + (1 - alpha) * p
    found = nag.normalised(positive, negative, scale, tau, alpha)
    assert np.allclose(found.numpy(), wanted, atol=1e-5)
    assert scale > 1 or torch.allclose(found, positive, atol=1e-6)


@pytest.mark.parametrize("name", ["t2v", "i2v"])
def test_attention_guided_away_from_the_prompt_itself_is_plain_attention(loaded: Any, name: str) -> None:
    """With equal prompts nothing moves, whatever the scale: so the processor computes what stock does."""
    pipeline, inputs = loaded(name), MINIMAL_INPUTS[name]
    shot = tiny.shot(guidance_scale=1.0, negative_prompt=tiny.shot().prompt)
    plain, guided = (denoised(pipeline, shot.replace(nag_scale=scale), inputs) for scale in (1.0, 9.0))
    assert torch.allclose(plain, guided, atol=1e-4)
    assert nn.mse_loss(plain, guided) < 1e-9
