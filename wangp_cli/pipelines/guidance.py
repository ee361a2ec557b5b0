"""Guidance: how the passes of one step become one velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from wangp_cli.pipelines.sampling import Step
    from wangp_cli.pipelines.wan_architecture import Condition


@dataclass(frozen=True, kw_only=True, eq=False)
class Ask:
    """One step's questions to a network.

    Args:
        network: the transformer whose step it is.
        condition: what it sees besides the text.
        latents: float32 `[1, C, t, h, w]`.
        step: where the loop is.
    """

    network: Any
    condition: Condition
    latents: torch.Tensor
    step: Step

    def __call__(self, prompt: torch.Tensor, condition: Condition | None = None) -> torch.Tensor:
        """The velocity under a prompt, and under another condition where one is given."""
        condition = condition or self.condition
        return condition.ask(self.network, self.latents, self.step.timestep, prompt)


@dataclass(frozen=True, kw_only=True, eq=False)
class Guider:
    """Asks a network under a prompt, and away from a negative one.

    Args:
        prompt: `[1, L, D]`.
        negative: the same for the negative prompt; None where no step is guided.
    """

    prompt: torch.Tensor
    negative: torch.Tensor | None

    def __call__(self, ask: Ask) -> torch.Tensor:
        """The guided velocity of one step; one pass where the step's guidance is 1 or less."""
        positive = ask(self.prompt)
        if self.negative is None or ask.step.guidance_scale <= 1:
            return positive
        return guide(positive, ask(self.negative), ask.step.guidance_scale)


def guide(positive: torch.Tensor, negative: torch.Tensor, scale: float) -> torch.Tensor:
    """Velocity moved away from the negative prompt's.

    Source: Ho and Salimans 2022, arXiv:2207.12598, classifier-free guidance.
    """
    return negative + scale * (positive - negative)
