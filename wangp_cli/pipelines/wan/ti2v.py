"""Wan 2.2 5B, text and image to video: the network takes a timestep per token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.pipelines.denoise.condition import Condition
from wangp_cli.pipelines.denoise.inputs import check_whole_start, to_tensor
from wangp_cli.pipelines.wan.architecture import Architecture

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True, kw_only=True, eq=False)
class TextImageCondition(Condition):
    """Known first latent frames, which replace the noisy ones and have timestep 0.

    Args:
        start: float32 `[1, C, n, h, w]`, the first latent frames; None where all are generated.
    """

    start: torch.Tensor | None = None

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """A timestep for each token, 0 for known ones."""
        _, rows, columns = network.config.patch_size
        noise = self._noise(latents)[0, 0, :, ::rows, ::columns] * timestep
        return {"hidden_states": self.video_latents(latents), "timestep": noise.flatten()[None]}

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents with the known latent frames inserted."""
        if self.start is None:
            return latents
        known = torch.zeros_like(latents)
        known[:, :, : self.start.shape[2]] = self.start
        noise = self._noise(latents)
        return (1 - noise) * known + noise * latents

    def _noise(self, latents: torch.Tensor) -> torch.Tensor:
        """Float32 `[1, 1, t, h, w]`, 0 where a latent frame is known, else 1."""
        noise = torch.ones_like(latents[:, :1])
        if self.start is not None:
            noise[:, :, : self.start.shape[2]] = 0
        return noise


class TextAndImageToVideo(Architecture):
    """Text to video, or continuation of start frames. Source: the Wan 2.2 reference code."""

    supported_inputs = Architecture.supported_inputs | {"start"}
    expand_timesteps = True

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Check that start frames fill whole latent frames."""
        check_whole_start(inputs, self.parts.vae.temporal)

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Latent frames of the start frames."""
        return 0 if inputs.start is None else self.parts.vae.latent_frames(len(inputs.start))

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> TextImageCondition:
        """Latents of the start frames."""
        if inputs.start is None:
            return TextImageCondition()
        return TextImageCondition(start=self.parts.vae.encode(to_tensor(inputs.start), tick))
