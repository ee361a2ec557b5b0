"""Conditioning of a network besides the noise and the prompt, and the calls of one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from wangp_cli.pipelines.denoise import loop

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Progress
    from wangp_cli.pipelines.denoise.schedules import Schedule
    from wangp_cli.pipelines.denoise.steps import Denoiser, Step


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """Conditioning besides noise and prompt: plain data, valid for any seed. This one is empty.

    Args:
        given_mask: bool `[1, 1, t, h, w]`, true for latents that hold given pixels; None where there is no
            such mask.
    """

    given_mask: torch.Tensor | None = None

    def latent_frames(self, frames: int) -> int:
        """Latent frames to denoise for a video of `frames` latent frames; more where references are added."""
        return frames

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The keyword arguments of a network's forward, except the prompt.

        Args:
            network: a transformer.
            latents: float32 `[1, C, t, h, w]`.
            timestep: of the step, a scalar or `[t]`, 0 to 1000.

        Returns:
            `hidden_states` in float32, `timestep`, and further inputs in the network's dtype.
        """
        return {"hidden_states": latents, "timestep": timestep.expand(1)}

    def predict(
        self, network: Any, latents: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor
    ) -> torch.Tensor:
        """One forward pass of a network.

        Args:
            network: as in `arguments`.
            latents: as in `arguments`.
            timestep: as in `arguments`.
            prompt: `[B, L, D]` in the network's dtype; all B prompts are computed in one batch.

        Returns:
            The predicted velocity, `[B, C, t, h, w]`.
        """
        arguments = self.arguments(network, latents, timestep)
        if prompt.shape[0] > 1:
            arguments = {name: _repeated(name, value, prompt.shape[0]) for name, value in arguments.items()}
        arguments["hidden_states"] = arguments["hidden_states"].to(prompt.dtype)
        velocity: torch.Tensor = network(encoder_hidden_states=prompt, return_dict=False, **arguments)[0]
        return velocity

    @property
    def negative_condition(self) -> Condition:
        """The condition for the pass with the negative prompt; by default this one."""
        return self

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The guided velocity of one step; overridden where a network needs other passes."""
        return guider(call)

    def sample(
        self, denoiser: Denoiser, schedule: Schedule, latents: torch.Tensor, progress: Progress
    ) -> torch.Tensor:
        """Denoise latents to a clean sample; overridden where a network needs another loop."""
        return loop.sample(denoiser, schedule, latents, progress)

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """A clean video's latents with those that are denoised with it; the inverse of `video_latents`."""
        return video

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents of the video alone, without references and padding."""
        return latents


def _repeated(name: str, value: Any, times: int) -> Any:
    """An argument repeated along the batch; `control_hidden_states_scale` has an axis of layers only."""
    if not isinstance(value, torch.Tensor) or name == "control_hidden_states_scale":
        return value
    return value.repeat(times, *[1] * (value.ndim - 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkCall:
    """The arguments that all passes of one step share.

    Args:
        network: the transformer of the step.
        condition: besides the prompt.
        latents: float32 `[1, C, t, h, w]`.
        step: position in the run.
    """

    network: Any
    condition: Condition
    latents: torch.Tensor
    step: Step

    def predict(self, prompt: torch.Tensor, condition: Condition | None = None) -> torch.Tensor:
        """The velocity predicted for a prompt, with `condition` instead of the call's own if given."""
        condition = condition or self.condition
        return condition.predict(self.network, self.latents, self.step.timestep, prompt)

    def predict_pair(self, one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The velocities predicted for two prompts, in one batch of two."""
        first, second = self.predict(torch.cat([one, other])).split(1)
        return first, second


@dataclass(frozen=True, kw_only=True, eq=False)
class GuidedPrediction:
    """The guided prediction of one step.

    Args:
        velocity: after guidance.
        positive: predicted for the prompt alone; None in a zero-init step, which calls no network.
    """

    velocity: torch.Tensor
    positive: torch.Tensor | None = None


class Guider(Protocol):
    """Calls a network as often as guidance needs in one step; has state of one run."""

    def __call__(self, call: NetworkCall) -> torch.Tensor:
        """The guided velocity of one step."""

    def predict(self, call: NetworkCall) -> GuidedPrediction:
        """The guided velocity of one step, with the velocity predicted for the prompt alone."""

    def negative_prompt_at(self, call: NetworkCall) -> torch.Tensor | None:
        """The embedded negative prompt; None in a step without guidance."""

    def predict_both(self, call: NetworkCall, negative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The velocities predicted for the prompt and for the negative prompt."""

    def predict_positive(self, call: NetworkCall) -> torch.Tensor:
        """The velocity predicted for the prompt."""
