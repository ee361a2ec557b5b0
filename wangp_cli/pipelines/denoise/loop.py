"""The denoising loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from wangp_cli.errors import GenerationError

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Progress
    from wangp_cli.pipelines.denoise.schedules import Schedule

STEPS_BETWEEN_CHECKS = 4
"""A check for finite values waits for the device, so it is not made at every step."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """Where a run is.

    Args:
        index: of the step, from 0.
        steps: of the run.
        phase: of the run, from 0.
        phase_index: of the step in its phase, from 0.
        phase_steps: of the phase.
        expert: which of the model's transformers is asked: 0, or 1 for the one for low noise.
        timestep: 0 to 1000, what the model is told: a scalar, or `[t]` where frames are denoised apart.
        guidance_scale: of the phase.
    """

    index: int
    steps: int
    phase: int
    phase_index: int
    phase_steps: int
    expert: int
    timestep: torch.Tensor
    guidance_scale: float

    def within(self, window: tuple[float, float]) -> bool:
        """Whether the step is between these shares of the run."""
        first, end = window
        return first <= self.index / self.steps < end


class Denoiser(Protocol):
    """One pass or several of a model, guidance included."""

    def __call__(self, latents: torch.Tensor, step: Step) -> torch.Tensor:
        """The velocity at `latents`, of the same shape."""


def generator_of(seed: int) -> torch.Generator:
    """The source of a run's noise, on the CPU so that a seed means the same on every device."""
    return torch.Generator().manual_seed(seed)


def draw_noise(shape: tuple[int, ...], generator: torch.Generator, device: str) -> torch.Tensor:
    """Standard normal noise, float32."""
    return torch.randn(shape, generator=generator, dtype=torch.float32).to(device)


def noisy(clean: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
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
    solver = schedule.new_solver()
    for done, step in enumerate(schedule.steps, start=1):
        velocity = denoiser(latents, step)
        latents = solver.step(velocity, step.timestep, latents, return_dict=False)[0]
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
