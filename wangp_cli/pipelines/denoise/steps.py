"""The position of a denoising step in its run, and the function that predicts its velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One denoising step of a run.

    Args:
        index: of the step in the run, from 0.
        steps: number of steps of the run.
        phase: index of the guidance phase, from 0.
        phase_index: of the step in its phase, from 0.
        phase_steps: number of steps of the phase.
        expert: index of the transformer to call; 1 is the one for low noise.
        timestep: 0 to 1000: a scalar, or `[t]` where each latent frame has its own.
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
        """Whether the step lies in a window of the run: from the first share of it to before the second."""
        first, end = window
        return first <= self.index / self.steps < end


class Denoiser(Protocol):
    """Predicts the guided velocity of one step."""

    def __call__(self, latents: torch.Tensor, step: Step) -> torch.Tensor:
        """The velocity at `latents`, of the same shape."""
