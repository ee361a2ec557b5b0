"""ReCamMaster: re-renders a video along another camera path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.errors import RequestError
from wangp_cli.pipelines.denoise.condition import Condition
from wangp_cli.pipelines.denoise.inputs import to_tensor
from wangp_cli.pipelines.wan.architecture import Architecture

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True, kw_only=True, eq=False)
class ReCamMasterCondition(Condition):
    """The latents of the source video and the camera path of the new one.

    Args:
        source: float32 `[1, C, t, h, w]`.
        camera: `[1, t, 12]`, the pose of each latent frame.
    """

    source: torch.Tensor
    camera: torch.Tensor

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The noisy latents and those of the source video, concatenated in time, with the camera path."""
        both = torch.cat([latents, self.source], dim=2)
        return super().arguments(network, both, timestep) | {"camera": self.camera}

    def predict(
        self, network: Any, latents: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor
    ) -> torch.Tensor:
        """One forward pass; the velocity of the new video's latent frames."""
        return super().predict(network, latents, timestep, prompt)[:, :, : latents.shape[2]]


class ReCamMaster(Architecture):
    """Re-renders a control video along a camera path."""

    network = "ReCamTransformer3DModel"
    supported_inputs = Architecture.supported_inputs | {"control", "camera"}

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Check that there are a control video and a camera pose for each frame."""
        if inputs.control is None:
            raise RequestError("control", "this model needs a video to re-render", hint="--video-guide FILE")
        if inputs.camera is None:
            raise RequestError("camera", "this model needs a path of the camera", hint="--camera pan-right")
        if len(inputs.camera) != canvas.frames:
            raise RequestError("camera", f"{len(inputs.camera)} poses, but {canvas.frames} are needed")

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Latent frames of the source video."""
        return self.parts.vae.latent_frames(canvas.frames)

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> ReCamMasterCondition:
        """Latents of the source video, and the pose of the first frame of each latent frame."""
        assert inputs.control is not None
        assert inputs.camera is not None
        source = self.parts.vae.encode(to_tensor(inputs.control), tick)
        poses = torch.tensor(inputs.camera[:: self.parts.vae.temporal], dtype=torch.float32)
        return ReCamMasterCondition(source=source, camera=poses[None].to(source.device, self.dtype))
