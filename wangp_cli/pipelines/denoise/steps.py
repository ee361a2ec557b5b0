"""One denoising step and the function that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


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
