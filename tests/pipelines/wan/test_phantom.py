"""Phantom against a loop written plainly from its paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UniPCMultistepScheduler

from tests.support import tiny
from tests.support.wan import INPUTS, load, ratios, run
from wangp_cli.pipelines.base import Inputs
from wangp_cli.tasks.shot import Shot

BOTH = INPUTS["phantom"]


def denoised(pipeline: Any, shot: Shot, inputs: Inputs = BOTH) -> torch.Tensor:
    latents: torch.Tensor = pipeline.denoise(shot, pipeline.encode(shot, inputs, tiny.quiet), tiny.quiet)
    return latents


def plainly(stock: Any, shot: Shot, references: torch.Tensor) -> torch.Tensor:
    """Three passes a step over video and references, by diffusers' network and scheduler alone."""
    words = [shot.prompt, shot.negative_prompt]
    prompt, negative = (stock.encode_prompt(text, "", False, max_sequence_length=24)[0] for text in words)
    count = references.shape[2]
    noise = torch.Generator().manual_seed(shot.seed)
    latents = torch.randn((1, 16, 3 + count, 4, 4), generator=noise)
    config = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": shot.flow_shift}
    scheduler = UniPCMultistepScheduler(**config, num_train_timesteps=1000)
    scheduler.set_timesteps(shot.steps)
    for timestep in scheduler.timesteps:
        shown = torch.cat([latents[:, :, :3], references], dim=2)
        hidden = torch.cat([latents[:, :, :3], torch.zeros_like(references)], dim=2)
        both, pictures, nothing = (
            stock.transformer(seen, timestep.expand(1), text, return_dict=False)[0]
            for seen, text in ((shown, prompt), (shown, negative), (hidden, negative))
        )
        by_pictures, by_text = pictures - nothing, both - pictures
        velocity = nothing + shot.image_guidance_scale * by_pictures + shot.guidance_scale * by_text
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
    return latents[:, :, :3]


@pytest.mark.parametrize("changes", [{}, {"image_guidance_scale": 2.0, "guidance_scale": 7.5}], ids=str)
@pytest.mark.parametrize("count", [1, 2])
def test_references_and_guidance_are_those_of_the_paper(
    loaded: Any, stock: Any, count: int, changes: dict[str, float]
) -> None:
    inputs, shot = replace(BOTH, references=BOTH.references[:count]), tiny.shot(**changes)
    found = denoised(loaded("phantom"), shot, inputs)
    pixels = [torch.from_numpy(clip.frames).float() / 127.5 - 1 for clip in inputs.references]
    vae = stock("phantom").vae
    with torch.no_grad():
        encoded = [vae.encode(p.permute(3, 0, 1, 2)[None]).latent_dist.mode() for p in pixels]
    mean, std = (
        torch.tensor(v).view(1, 16, 1, 1, 1) for v in (vae.config.latents_mean, vae.config.latents_std)
    )
    with torch.no_grad():
        expected = plainly(stock("phantom"), shot, (torch.cat(encoded, dim=2) - mean) / std)
    assert found.shape == expected.shape == (1, 16, 3, 4, 4)
    assert torch.allclose(found, expected, atol=1e-4)


def test_the_guidance_of_the_references_changes_the_result(loaded: Any) -> None:
    pipeline, shot = loaded("phantom"), tiny.shot()
    assert not np.array_equal(
        run(pipeline, shot, BOTH), run(pipeline, shot.replace(image_guidance_scale=2), BOTH)
    )


@pytest.mark.parametrize(("scale", "passes"), [(4.0, 3), (1.0, 1)])
def test_there_are_three_passes_and_without_guidance_one(checkpoint: Any, scale: float, passes: int) -> None:
    made: list[int] = []
    pipeline = load(checkpoint("phantom"), "phantom")
    pipeline._networks[0].register_forward_hook(lambda *_: made.append(1))
    shot = tiny.shot(guidance_scale=scale)
    run(pipeline, shot, BOTH)
    assert len(made) == passes * shot.steps


def test_boost_makes_two_of_the_three_passes_in_one(checkpoint: Any, loaded: Any) -> None:
    made: list[int] = []
    pipeline = load(checkpoint("phantom"), "phantom", boost=True)
    pipeline._networks[0].register_forward_hook(lambda *_: made.append(1))
    found = run(pipeline, tiny.shot(), BOTH)
    assert len(made) == 2 * tiny.shot().steps
    assert abs(found - run(loaded("phantom", exact=False), tiny.shot(), BOTH)).max() < 1e-4


def test_attention_guidance_changes_the_pass_of_the_prompt(loaded: Any) -> None:
    pipeline, shot = loaded("phantom"), tiny.shot(steps=1)
    plain, guided = (denoised(pipeline, shot.replace(nag_scale=scale)) for scale in (1.0, 5.0))
    assert not torch.equal(plain, guided)


@pytest.mark.parametrize("cache", ["fbcache", "magcache"])
def test_step_caches_keep_the_three_passes_apart(
    checkpoint: Any, loaded: Any, tmp_path: Path, cache: str
) -> None:
    ratios(tmp_path, "tiny_phantom", [0.9] * 6)
    shot = tiny.shot(steps=6)
    whole = run(loaded("phantom"), shot, BOTH)
    made = [
        run(
            load(checkpoint("phantom"), "phantom", exact=True, cache=f"{cache}={x}", data_dir=tmp_path),
            shot,
            BOTH,
        )
        for x in (0, 10)
    ]
    assert np.array_equal(made[0], whole)
    assert not np.array_equal(made[1], whole)


@pytest.mark.parametrize("profile", ["3", "5"])
def test_offloading_changes_nothing(checkpoint: Any, loaded: Any, tmp_path: Path, profile: str) -> None:
    pipeline = load(checkpoint("phantom"), "phantom", exact=True, profile=profile, work_dir=tmp_path)
    assert torch.equal(denoised(pipeline, tiny.shot()), denoised(loaded("phantom"), tiny.shot()))
