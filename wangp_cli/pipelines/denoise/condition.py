"""What a network is given beside noise and text."""

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
    """What a network sees besides noise and text: plain data, good for any seed. This one shows nothing.

    Args:
        given: bool `[1, 1, t, h, w]`, latents that hold given pixels; None where no such map is kept.
    """

    given: torch.Tensor | None = None

    def latent_frames(self, frames: int) -> int:
        """Latent frames that are denoised for a video of so many; more where references lie beside it."""
        return frames

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The network's arguments besides the text.

        Args:
            network: a transformer.
            latents: float32 `[1, C, t, h, w]`.
            timestep: of the step, 0 to 1000.

        Returns:
            `hidden_states` in float32, `timestep`, and what else the network reads, in its precision.
        """
        return {"hidden_states": latents, "timestep": timestep.expand(1)}

    def predict(
        self, network: Any, latents: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor
    ) -> torch.Tensor:
        """One pass of a network: the velocity at `latents`, of their shape.

        Args:
            network: as in `arguments`.
            latents: as in `arguments`.
            timestep: as in `arguments`.
            prompt: `[B, L, D]` in the network's precision; several are asked in one pass.
        """
        given = self.arguments(network, latents, timestep)
        if prompt.shape[0] > 1:
            given = {name: _repeated(name, value, prompt.shape[0]) for name, value in given.items()}
        given["hidden_states"] = given["hidden_states"].to(prompt.dtype)
        velocity: torch.Tensor = network(encoder_hidden_states=prompt, return_dict=False, **given)[0]
        return velocity

    @property
    def negative_condition(self) -> Condition:
        """What the network sees besides a negative prompt; here the same."""
        return self

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The velocity of one step, guidance included; networks with passes of their own override it."""
        return guider(call)

    def sample(
        self, denoiser: Denoiser, schedule: Schedule, latents: torch.Tensor, progress: Progress
    ) -> torch.Tensor:
        """Walk from noise to a clean sample; networks with another loop override it."""
        return loop.sample(denoiser, schedule, latents, progress)

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """A clean video's latents with what is denoised beside it, the counterpart of `video`."""
        return video

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents of the video alone, of those that were denoised."""
        return latents


def _repeated(name: str, value: Any, times: int) -> Any:
    """An argument of a network for a batch; `control_hidden_states_scale` counts layers, not samples."""
    if not isinstance(value, torch.Tensor) or name == "control_hidden_states_scale":
        return value
    return value.repeat(times, *[1] * (value.ndim - 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkCall:
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

    def predict(self, prompt: torch.Tensor, condition: Condition | None = None) -> torch.Tensor:
        """The velocity under a prompt, and under another condition where one is given."""
        condition = condition or self.condition
        return condition.predict(self.network, self.latents, self.step.timestep, prompt)

    def predict_pair(self, one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The velocities under two prompts, from one pass."""
        first, second = self.predict(torch.cat([one, other])).split(1)
        return first, second


@dataclass(frozen=True, kw_only=True, eq=False)
class GuidedPrediction:
    """What became of one step's passes.

    Args:
        velocity: of the step.
        positive: under the prompt; None in a step that asks nothing and makes no move.
    """

    velocity: torch.Tensor
    positive: torch.Tensor | None = None


class Guider(Protocol):
    """Makes the passes of one step, and one velocity of them; serves one run."""

    def __call__(self, call: NetworkCall) -> torch.Tensor:
        """The guided velocity of one step."""

    def predict(self, call: NetworkCall) -> GuidedPrediction:
        """The guided velocity of one step, and the one under the prompt that it began with."""

    def negative_prompt_at(self, call: NetworkCall) -> torch.Tensor | None:
        """The negative prompt, in a step that is guided away from it."""

    def predict_both(self, call: NetworkCall, negative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The velocities under the prompt and under the negative one."""

    def predict_positive(self, call: NetworkCall) -> torch.Tensor:
        """The velocity under the prompt."""
