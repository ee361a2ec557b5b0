from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan

from training.starter.data import Batch, ScenePool
from training.starter.decoded import decoded_error
from training.starter.fast import to_latents

STARTER = Path(__file__).resolve().parents[2] / "wangp_cli" / "starter"


@pytest.fixture(scope="module")
def vae() -> AutoencoderKLWan:
    return AutoencoderKLWan.from_pretrained(STARTER / "vae").requires_grad_(False)


@pytest.fixture(scope="module")
def pool(vae: AutoencoderKLWan) -> ScenePool:
    pool: ScenePool = ScenePool(vae, near=2, wide=2, side=96, rng=random.Random(3))
    return pool


@pytest.fixture
def batch(pool: ScenePool) -> Batch:
    return pool.batch(2, conditional=1.0)


def error(pool: ScenePool, vae: AutoencoderKLWan, batch: Batch, wrong: float, sigma: float = 0.3) -> float:
    clean = to_latents(batch.latents, pool.grid) + wrong
    evenly = torch.ones(len(clean), *pool.grid)
    torch.manual_seed(0)
    levels = torch.full((len(clean),), sigma)
    return float(decoded_error(vae, clean, levels, batch, evenly, random.Random(0)))


def test_wrong_latents_look_worse_than_right_ones(
    pool: ScenePool, vae: AutoencoderKLWan, batch: Batch
) -> None:
    batch = replace(batch, keep=torch.ones_like(batch.keep))
    assert error(pool, vae, batch, 0.0) < 0.1 * error(pool, vae, batch, 0.5)


def test_given_pixels_count_most(pool: ScenePool, vae: AutoencoderKLWan, batch: Batch) -> None:
    nothing, everything = torch.zeros_like(batch.keep), torch.ones_like(batch.keep)
    last = nothing.clone()
    last[:, -1] = 1
    at_none, at_last, at_all = (
        error(pool, vae, replace(batch, keep=keep), 0.5) for keep in (nothing, last, everything)
    )
    assert at_none == pytest.approx(0.3 * at_all)
    assert at_none < at_last < at_all


def test_noisy_predictions_and_free_clips_are_left_out(
    pool: ScenePool, vae: AutoencoderKLWan, batch: Batch
) -> None:
    assert error(pool, vae, batch, 0.5, sigma=0.7) == 0
    assert error(pool, vae, pool.batch(2, conditional=0.0), 0.5) == 0
