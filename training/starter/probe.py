# mypy: allow-untyped-decorators
"""A probe of whether predictions from pure noise follow the motion in the prompt, which the loss hides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from training.starter.fast import FastDenoiser, to_latents
from training.starter.world import COLOURS, MOTIONS, Scene, plain_caption

if TYPE_CHECKING:
    from training.starter.data import ScenePool
    from training.starter.model import Model

_NOISES = 16


@torch.no_grad()
def probe_motion(model: Model, pool: ScenePool) -> str:
    """Position and size of the object in the first and the last latent frame of predictions from pure noise.

    Returns:
        For each motion: x, y (0 to 1) and share of the frame, first > last; they should follow the motion.
    """
    denoise = FastDenoiser(model.denoiser, pool.grid, compiled=False)
    content = pool.white.shape[-1] // 4
    colours = 2 * torch.tensor([COLOURS["blue"], COLOURS["yellow"]]) - 1
    tokens = (colours[:, :, None, None] * pool.white).sum(1)
    back, front = to_latents(tokens, pool.grid)[:, :3, -1, 0, 0]
    frames, rows, columns = pool.grid
    x, y = torch.linspace(0, 1, columns), torch.linspace(0, 1, rows)
    results = []
    for motion in MOTIONS:
        noise = torch.randn(
            _NOISES, pool.white.shape[1], content * 4, generator=torch.Generator().manual_seed(1)
        )
        scene = Scene(
            shape="circle",
            colour="yellow",
            background="blue",
            motion=motion,
            size="",
            radius=0.2,
            across=0.5,
            start=0.5,
            travel=1.0,
        )
        words, padding = model.words([plain_caption(scene)], torch.tensor([32]))
        words, padding = words.expand(_NOISES, -1, -1), padding.expand(_NOISES, -1)
        mask = pool.all_unknown.expand(_NOISES, -1, -1)
        velocity = denoise(
            noise, torch.ones(_NOISES), words, padding, pool.control(torch.zeros_like(noise), mask)
        )
        clean = to_latents(noise - velocity, pool.grid).mean(0)[:3]
        share = ((clean - back.view(3, 1, 1, 1)) * (front - back).view(3, 1, 1, 1)).sum(0)
        share = (share / (front - back).square().sum()).clamp(min=0)
        first, last = share[0], share[frames - 1]
        numbers = [
            (
                float((part.sum(0) * x).sum() / part.sum()),
                float((part.sum(1) * y).sum() / part.sum()),
                float(part.mean()),
            )
            for part in (first, last)
        ]
        results.append(f"{motion} " + " > ".join(f"{a:.2f} {b:.2f} {c:.2f}" for a, b, c in numbers))
    return " | ".join(results)
