"""The denoising loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from wangp_cli.errors import GenerationError

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Progress
    from wangp_cli.pipelines.schedules import Schedule

STEPS_BETWEEN_CHECKS = 4
"""A check for finite values waits for the device, so it is not made at every step."""


class Denoiser(Protocol):
    """One pass or several of a model, guidance included."""

    def __call__(self, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """The velocity at `latents`, of the same shape."""


def draw_noise(shape: tuple[int, ...], seed: int, device: str) -> torch.Tensor:
    """Standard normal noise, float32, drawn on the CPU so that a seed means the same on every device."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).to(device)


def guide(positive: torch.Tensor, negative: torch.Tensor, scale: float) -> torch.Tensor:
    """Velocity moved away from the negative prompt's.

    Source: Ho and Salimans 2022, arXiv:2207.12598, classifier-free guidance.
    """
    return negative + scale * (positive - negative)


def sample(denoiser: Denoiser, schedule: Schedule, latents: torch.Tensor, progress: Progress) -> torch.Tensor:
    """Walk latents from noise to a clean sample.

    Args:
        denoiser: asked once per step.
        schedule: of this run alone.
        latents: float32 noise.
        progress: told after every step; what it raises ends the loop.

    Returns:
        float32 latents of the same shape.

    Raises:
        GenerationError: the latents are no longer finite.
    """
    steps = len(schedule)
    for done, timestep in enumerate(schedule.timesteps, start=1):
        velocity = denoiser(latents, timestep)
        latents = schedule.solver.step(velocity, timestep, latents, return_dict=False)[0]
        if done % STEPS_BETWEEN_CHECKS == 0 or done == steps:
            check_finite(latents, f"after step {done} of {steps}")
        progress("denoise", done, steps)
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
