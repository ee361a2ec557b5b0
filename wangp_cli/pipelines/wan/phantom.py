"""Phantom: people and things from reference pictures, shown as latent frames behind the video."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.errors import RequestError
from wangp_cli.pipelines.denoise.condition import Condition
from wangp_cli.pipelines.denoise.inputs import to_tensor
from wangp_cli.pipelines.wan.architecture import Architecture

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.pipelines.denoise.condition import Guider, NetworkCall
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True, kw_only=True, eq=False)
class PhantomCondition(Condition):
    """Reference pictures behind the video.

    Args:
        references: float32 `[1, C, n, h, w]`, a latent frame each, in the order given.
        guidance_scale: how strongly they are followed.
    """

    references: torch.Tensor
    guidance_scale: float

    def latent_frames(self, frames: int) -> int:
        """Noise is drawn for the references too; nothing reads what becomes of it."""
        return frames + int(self.references.shape[2])

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The references in the place of the last latent frames, clean in every step."""
        return super().arguments(network, self.add_extra_latents(self.video_latents(latents)), timestep)

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """Guided by the references first, then by the prompt; one pass where nothing guides.

        Source: Liu et al. 2025, arXiv:2502.11079, and WanGP, which has a scale of 5 for the references.
        """
        if (negative := guider.negative_prompt_at(call)) is None:
            return guider.predict_positive(call)
        prompted, shown = guider.predict_both(call, negative)
        hidden = call.predict(negative, replace(self, references=torch.zeros_like(self.references)))
        by_references = self.guidance_scale * (shown - hidden)
        return hidden + by_references + call.step.guidance_scale * (prompted - shown)

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """The video, and the references behind it."""
        return torch.cat([video, self.references], dim=2)

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """What comes before the references."""
        return latents[:, :, : -self.references.shape[2]]


class Phantom(Architecture):
    """Shows the people and things of reference pictures; its network is one of text to video."""

    supported_inputs = Architecture.supported_inputs | {"references"}

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Refuse to work without a reference."""
        if not inputs.references:
            raise RequestError("references", "this model needs a reference picture", hint="--image-ref FILE")

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Each reference."""
        return len(inputs.references)

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> PhantomCondition:
        """Each reference as a latent frame of its own."""
        latents = [self.parts.vae.encode(to_tensor(picture), tick) for picture in inputs.references]
        return PhantomCondition(
            references=torch.cat(latents, dim=2), guidance_scale=shot.image_guidance_scale
        )
