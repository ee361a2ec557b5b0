"""The denoising loop, its noise and its check for finite latents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from wangp_cli.errors import GenerationError
from wangp_cli.pipelines.denoise.steps import Denoiser

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Progress
    from wangp_cli.pipelines.denoise.schedules import Schedule

STEPS_BETWEEN_CHECKS = 4
"""Checking for finite values synchronises with the device, so not every step is checked."""


def noise_generator(seed: int) -> torch.Generator:
    """A seeded random generator on the CPU, so that a seed gives the same noise on every device."""
    return torch.Generator().manual_seed(seed)


def draw_noise(shape: tuple[int, ...], generator: torch.Generator, device: str) -> torch.Tensor:
    """Standard normal noise, float32, drawn on the CPU and moved to `device`."""
    return torch.randn(shape, generator=generator, dtype=torch.float32).to(device)


def add_noise(clean: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """A clean sample at noise level `sigma` of flow matching: 0 is clean, 1 is pure noise."""
    return sigma * noise + (1 - sigma) * clean


def sample(denoiser: Denoiser, schedule: Schedule, latents: torch.Tensor, progress: Progress) -> torch.Tensor:
    """Denoise latents step by step.

    Args:
        denoiser: called once per step.
        schedule: used for this run only.
        latents: float32, at the noise level of the first step.
        progress: called after every step; an exception it raises ends the loop.

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
    """Check that all latents are finite.

    Args:
        latents: any shape.
        when: for the message, such as `after step 3 of 8`.

    Raises:
        GenerationError: a value is infinite or NaN.
    """
    if not torch.isfinite(latents).all():
        raise GenerationError(
            f"the latents are not finite {when}",
            hint="check the weights with `wangp models verify`, or try dtype float32",
        )
