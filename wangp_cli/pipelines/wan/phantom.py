"""Phantom: subjects from reference images, as clean latent frames after those of the video."""

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
    """Reference images as latent frames after the video.

    Args:
        references: float32 `[1, C, n, h, w]`, one latent frame each, in the order given.
        guidance_scale: of the references.
    """

    references: torch.Tensor
    guidance_scale: float

    def latent_frames(self, frames: int) -> int:
        """Those of the video and of the references; the denoised latents of references are not used."""
        return frames + int(self.references.shape[2])

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The latents with the clean references in place of the last latent frames."""
        return super().arguments(network, self.add_extra_latents(self.video_latents(latents)), timestep)

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The velocity guided by the references and by the prompt, in three passes; one without guidance.

        Source: Liu et al. 2025, arXiv:2502.11079, and WanGP, which has a scale of 5 for the references.
        """
        if (negative := guider.negative_prompt_at(call)) is None:
            return guider.predict_positive(call)
        positive, with_references = guider.predict_both(call, negative)
        without_references = call.predict(
            negative, replace(self, references=torch.zeros_like(self.references))
        )
        by_references = self.guidance_scale * (with_references - without_references)
        by_prompt = call.step.guidance_scale * (positive - with_references)
        return without_references + by_references + by_prompt

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """The video's latent frames, then the references."""
        return torch.cat([video, self.references], dim=2)

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents before those of the references."""
        return latents[:, :, : -self.references.shape[2]]


class Phantom(Architecture):
    """Generates a video with the subjects of reference images; its network is one of text to video."""

    supported_inputs = Architecture.supported_inputs | {"references"}

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Check that there is a reference."""
        if not inputs.references:
            raise RequestError("references", "this model needs a reference image", hint="--image-ref FILE")

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """One latent frame per reference."""
        return len(inputs.references)

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> PhantomCondition:
        """Latents of each reference."""
        latents = [self.parts.vae.encode(to_tensor(image), tick) for image in inputs.references]
        return PhantomCondition(
            references=torch.cat(latents, dim=2), guidance_scale=shot.image_guidance_scale
        )
