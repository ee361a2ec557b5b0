"""The denoising loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from wangp_cli.errors import GenerationError
from wangp_cli.pipelines.denoise.steps import Denoiser

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Progress
    from wangp_cli.pipelines.denoise.schedules import Schedule

STEPS_BETWEEN_CHECKS = 4
"""A check for finite values waits for the device, so it is not made at every step."""


def noise_generator(seed: int) -> torch.Generator:
    """The source of a run's noise, on the CPU so that a seed means the same on every device."""
    return torch.Generator().manual_seed(seed)


def draw_noise(shape: tuple[int, ...], generator: torch.Generator, device: str) -> torch.Tensor:
    """Standard normal noise, float32."""
    return torch.randn(shape, generator=generator, dtype=torch.float32).to(device)


def add_noise(clean: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """A clean sample at a noise level, as flow matching mixes them: 0 is clean, 1 is noise."""
    return sigma * noise + (1 - sigma) * clean


def sample(denoiser: Denoiser, schedule: Schedule, latents: torch.Tensor, progress: Progress) -> torch.Tensor:
    """Walk latents from noise to a clean sample.

    Args:
        denoiser: asked once per step.
        schedule: of this run alone.
        latents: float32, as noisy as the first step wants them.
        progress: told after every step; what it raises ends the loop.

    Returns:
        float32 latents of the same shape.

    Raises:
        GenerationError: the latents are no longer finite.
    """
    scheduler = schedule.new_scheduler()
    for done, step in enumerate(schedule.steps, start=1):
        velocity = denoiser(latents, step)
        latents = scheduler.step(velocity, step.timestep, latents, return_dict=False)[0]
        if done % STEPS_BETWEEN_CHECKS == 0 or done == len(schedule):
            check_finite(latents, f"after step {done} of {len(schedule)}")
        progress("denoise", done, len(schedule))
    return latents


def check_finite(latents: torch.Tensor, when: str) -> None:
    """Refuse latents that hold infinities or NaN.

    Raises:
        GenerationError: they do; the message says when.
    """
    if not torch.isfinite(latents).all():
        raise GenerationError(
            f"the latents are not finite {when}",
            hint="check the weights with `wangp models verify`, or try dtype float32",
        )
