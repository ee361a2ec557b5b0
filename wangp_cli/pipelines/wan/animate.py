"""Wan 2.2 Animate: a character that moves as poses and a face say, alone or in the place of another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.errors import RequestError
from wangp_cli.media.resize import fit
from wangp_cli.pipelines.denoise.inputs import check_whole_start, to_tensor
from wangp_cli.pipelines.wan.architecture import Architecture
from wangp_cli.pipelines.wan.image_to_video import ImageCondition, ImageToVideo, known_channels

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True, kw_only=True, eq=False)
class AnimateCondition(ImageCondition):
    """A character, in a latent frame before the video, and how it moves.

    Args:
        poses: `[1, C, t, h, w]`, latents of the pose video.
        face: `[1, 3, T, side, side]` in [-1, 1].
    """

    poses: torch.Tensor
    face: torch.Tensor

    def latent_frames(self, frames: int) -> int:
        """The character is denoised with the video."""
        return frames + 1

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """What is known, the poses and the face."""
        return super().arguments(network, latents, timestep) | {
            "pose_hidden_states": self.poses,
            "face_pixel_values": self.face,
        }

    @property
    def negative_condition(self) -> AnimateCondition:
        """The same with a black face, which has no expression."""
        return replace(self, face=torch.full_like(self.face, -1))

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """The character before the video."""
        clean = self.known[:, -video.shape[1] :, :1].to(video)
        return torch.cat([clean, video], dim=2)

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """What comes after the character."""
        return latents[:, :, 1:]


class Animate(ImageToVideo):
    """Moves a character, perhaps in the place of what a mask over a background covers.

    Frames to start with are the last ones of the segment before. Source: the Wan 2.2 Animate reference code.
    """

    network = "WanAnimateTransformer3DModel"
    supported_inputs = Architecture.supported_inputs | {
        "start",
        "control",
        "mask",
        "face",
        "background",
        "references",
    }

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Refuse anything but one character with poses and a face, and half of a replacement."""
        if (pictures := len(inputs.references)) != 1:
            raise RequestError("references", f"{pictures} pictures, but this model needs one, the character")
        for field in ("control", "face"):
            if getattr(inputs, field) is None:
                raise RequestError(field, "this model needs it")
        if (inputs.background is None) != (inputs.mask is None):
            lone, other = ("mask", "background") if inputs.background is None else ("background", "mask")
            raise RequestError(lone, f"given without a {other}")
        check_whole_start(inputs, self.parts.vae.temporal)

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """The character, what is known of the video, and the poses."""
        return 1 + 2 * self.parts.vae.latent_frames(canvas.frames)

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> AnimateCondition:
        """Everything as latents, but the face as pixels."""
        vae, (character,) = self.parts.vae, inputs.references
        assert self.parts.image_encoder is not None
        assert inputs.control is not None
        assert inputs.face is not None
        picture = vae.encode(to_tensor(character), tick)
        flags = torch.ones_like(picture[:, :1]).expand(-1, vae.temporal, -1, -1, -1)
        known = torch.cat([flags, picture], dim=1)
        known = torch.cat([known, known_channels(vae, inputs, canvas, tick)], dim=2)
        poses = vae.encode(to_tensor(inputs.control), tick)
        side = self.config["motion_encoder_size"]
        face = to_tensor(replace(inputs.face, frames=fit(inputs.face.frames, side, side)))
        return AnimateCondition(
            known=known,
            image=self.parts.image_encoder.embed([character.frames[0]]).to(self.dtype),
            poses=poses.to(self.dtype),
            face=face.to(poses.device, self.dtype),
        )
