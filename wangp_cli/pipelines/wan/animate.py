"""Wan 2.2 Animate: a character driven by a pose video and a face video, alone or replacing a person."""

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
    """Known frames, the first of them the character's image, with pose latents and face pixels.

    Args:
        poses: `[1, C, t, h, w]`, latents of the pose video.
        face: `[1, 3, T, side, side]` in [-1, 1], the face video.
    """

    poses: torch.Tensor
    face: torch.Tensor

    def latent_frames(self, frames: int) -> int:
        """One more: the character's latent frame is denoised with the video."""
        return frames + 1

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The known frames, the poses and the face."""
        return super().arguments(network, latents, timestep) | {
            "pose_hidden_states": self.poses,
            "face_pixel_values": self.face,
        }

    @property
    def negative_condition(self) -> AnimateCondition:
        """The condition with a black face, which has no expression."""
        return replace(self, face=torch.full_like(self.face, -1))

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """The character's latent frame, then those of the video."""
        clean = self.known[:, -video.shape[1] :, :1].to(video)
        return torch.cat([clean, video], dim=2)

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents after the character's latent frame."""
        return latents[:, :, 1:]


class Animate(ImageToVideo):
    """Animates a character; with a background and a mask it replaces what the mask covers.

    Start frames are the last frames of the segment before. Source: the Wan 2.2 Animate reference code.
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
        """Check for one character, poses and a face, and for both or neither of mask and background."""
        if (pictures := len(inputs.references)) != 1:
            raise RequestError("references", f"{pictures} pictures, but this model needs one, the character")
        for field in ("control", "face"):
            if getattr(inputs, field) is None:
                raise RequestError(field, "this model needs it")
        if (inputs.background is None) != (inputs.mask is None):
            given, missing = ("mask", "background") if inputs.background is None else ("background", "mask")
            raise RequestError(given, f"given without a {missing}")
        check_whole_start(inputs, self.parts.vae.temporal)

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Latent frames of the character, of the known video and of the poses."""
        return 1 + 2 * self.parts.vae.latent_frames(canvas.frames)

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> AnimateCondition:
        """Latents of character, known frames and poses, CLIP tokens of the character, pixels of the face."""
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
