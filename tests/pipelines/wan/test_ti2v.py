"""Wan 2.2 5B: known latent frames replace noisy ones, and each token has a timestep."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from wangp_cli.pipelines.wan.ti2v import TextImageCondition

NETWORK: Any = SimpleNamespace(config=SimpleNamespace(patch_size=(1, 2, 2)))


def test_known_frames_are_shown_clean_with_timestep_zero() -> None:
    start, latents = torch.full((1, 3, 2, 4, 6), 7.0), torch.ones(1, 3, 5, 4, 6)
    arguments = TextImageCondition(start=start).arguments(NETWORK, latents, torch.tensor(500.0))
    assert torch.equal(arguments["hidden_states"][:, :, :2], start)
    assert torch.equal(arguments["hidden_states"][:, :, 2:], latents[:, :, 2:])
    assert arguments["timestep"].shape == (1, 5 * 2 * 3)
    assert arguments["timestep"].view(5, 6).unique(dim=1).flatten().tolist() == [0, 0, 500, 500, 500]


def test_without_known_frames_all_tokens_have_the_step_s_timestep() -> None:
    latents = torch.ones(1, 3, 2, 4, 6)
    arguments = TextImageCondition().arguments(NETWORK, latents, torch.tensor(500.0))
    assert arguments["hidden_states"] is latents
    assert arguments["timestep"].eq(500).all()


def test_the_result_has_the_known_frames() -> None:
    start, latents = torch.full((1, 3, 1, 4, 6), 7.0), torch.ones(1, 3, 3, 4, 6)
    video = TextImageCondition(start=start).video_latents(latents)
    assert video[0, 0, :, 0, 0].tolist() == [7, 1, 1]
