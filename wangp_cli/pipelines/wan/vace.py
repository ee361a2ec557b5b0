"""What VACE is conditioned on: a control video, a mask and reference pictures in one tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from wangp_cli.media.clip import as_float
from wangp_cli.pipelines.denoise.condition import Condition
from wangp_cli.pipelines.denoise.inputs import to_tensor
from wangp_cli.pipelines.wan.architecture import Architecture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wangp_cli.media.clip import Clip
    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.pipelines.denoise.condition import Guider, NetworkCall
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.pipelines.wan.vae import Vae as WanVae
    from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True, kw_only=True, eq=False)
class VaceCondition(Condition):
    """A control video, a mask and references.

    Args:
        channels: `[1, C, references + t, h, w]`, what the control blocks read.
        strength: weight of the control blocks.
        references: latent frames before the video.
        window: shares of the steps between which `channels` are read.
        fallback_control: what is read in the other steps; nothing where it is None.
    """

    channels: torch.Tensor
    strength: float
    references: int
    window: tuple[float, float] = (0.0, 1.0)
    fallback_control: torch.Tensor | None = None

    def latent_frames(self, frames: int) -> int:
        """The references are denoised with the video."""
        return frames + self.references

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The control channels, and one weight for each control block."""
        layers = len(network.config.vace_layers)
        return super().arguments(network, latents, timestep) | {
            "control_hidden_states": self.channels,
            "control_hidden_states_scale": self.channels.new_full((layers,), self.strength),
        }

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The guided velocity; the control that counts is the one of this step."""
        if call.step.within(self.window):
            return guider(call)
        if self.fallback_control is not None:
            return guider(replace(call, condition=replace(self, channels=self.fallback_control)))
        return guider(replace(call, condition=replace(self, strength=0.0, given=None)))

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """The references before the video, as the control channels hold them."""
        clean = self.channels[:, : video.shape[1], : self.references].to(video)
        return torch.cat([clean, video], dim=2)

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """What comes after the references."""
        return latents[:, :, self.references :]


class Vace(Architecture):
    """Follows a control video, paints where a mask says, shows references."""

    network = "WanVACETransformer3DModel"
    supported_inputs = Architecture.supported_inputs | {"start", "end", "control", "mask", "references"}

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Known pixels, pixels to paint, and each reference; all twice where the control rests."""
        once = 2 * self.parts.vae.latent_frames(canvas.frames) + len(inputs.references)
        return once if inputs.fallback_control is None else 2 * once

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> VaceCondition:
        """All inputs in one tensor."""
        vae, references = self.parts.vae, inputs.references
        video, mask = control_and_mask(inputs, canvas)
        channels = control_channels(vae, video, mask, references, tick)
        fallback_control = None
        if inputs.fallback_control is not None:
            idle = control_and_mask(replace(inputs, control=inputs.fallback_control), canvas)
            fallback_control = control_channels(vae, *idle, references, tick).to(self.dtype)
        return VaceCondition(
            given=F.pad(latents_given(mask, vae), (0, 0, 0, 0, len(references), 0), value=True).to(
                channels.device
            ),
            channels=channels.to(self.dtype),
            strength=shot.control_strength,
            references=len(references),
            window=(shot.control_start, shot.control_end),
            fallback_control=fallback_control,
        )


def control_channels(
    vae: WanVae,
    video: torch.Tensor,
    mask: torch.Tensor,
    references: Sequence[Clip],
    tick: Callable[[int], None],
) -> torch.Tensor:
    """The tensor that VACE's control blocks read.

    Known pixels and pixels to paint are encoded apart, so that the network sees the control video under the
    mask as well. Each reference is a latent frame before the video, in the order given.

    Args:
        vae: encodes.
        video: see `control_and_mask`.
        mask: see `control_and_mask`.
        references: pictures of the video's size.
        tick: told how many latent frames are encoded, `Vace.encoded_frames` in all.

    Returns:
        float32 `[1, 2 * C + spatial * spatial, references + t, h, w]`: known latents, latents to paint, mask.

    Source: Jiang et al. 2025, arXiv:2503.07598, and the VACE reference code.
    """
    known = vae.encode(video * (1 - mask), tick)
    painted = vae.encode(video * mask, tick)
    control = torch.cat([known, painted], dim=1)
    masks = fold_mask(mask, vae).to(control.device)
    for reference in reversed(references):
        latents = vae.encode(to_tensor(reference), tick)
        control = torch.cat([torch.cat([latents, torch.zeros_like(latents)], dim=1), control], dim=2)
        masks = torch.cat([torch.zeros_like(masks[:, :, :1]), masks], dim=2)
    return torch.cat([control, masks], dim=1)


def latents_given(mask: torch.Tensor, vae: WanVae) -> torch.Tensor:
    """Which latents hold a given pixel, among others perhaps.

    Args:
        mask: `[1, 1, T, H, W]`, see `control_and_mask`.
        vae: gives the scales; its first latent frame holds one frame.

    Returns:
        bool `[1, 1, t, h, w]`.
    """
    blocks = (vae.temporal, vae.spatial, vae.spatial)
    padded = F.pad(1 - mask, (0, 0, 0, 0, vae.temporal - 1, 0))
    return F.max_pool3d(padded, blocks) > 0


def control_and_mask(inputs: Inputs, canvas: Canvas) -> tuple[torch.Tensor, torch.Tensor]:
    """The video VACE sees and where it paints.

    Start frames lie over the front, end frames over the back, both kept. Where nothing is given the video is
    exactly 0, the gray that means nothing, and the model paints.

    Returns:
        float32 `[1, 3, T, H, W]` in [-1, 1], and float32 `[1, 1, T, H, W]`, 1 where the model paints.
    """
    shape = (canvas.frames, canvas.height, canvas.width)
    video = torch.zeros(1, 3, *shape) if inputs.control is None else to_tensor(inputs.control).clone()
    if inputs.mask is None:
        mask = torch.ones(1, 1, *shape)
    else:
        mask = (torch.from_numpy(as_float(inputs.mask.frames)) > 0.5).float().permute(3, 0, 1, 2)[None]
    if inputs.start is not None:
        video[:, :, : len(inputs.start)] = to_tensor(inputs.start)
        mask[:, :, : len(inputs.start)] = 0
    if inputs.end is not None:
        video[:, :, canvas.frames - len(inputs.end) :] = to_tensor(inputs.end)
        mask[:, :, canvas.frames - len(inputs.end) :] = 0
    return video, mask


def fold_mask(mask: torch.Tensor, vae: WanVae) -> torch.Tensor:
    """The mask at the latents' size, each block of pixels as channels.

    Args:
        mask: `[1, 1, T, H, W]`.
        vae: gives the scales.

    Returns:
        `[1, spatial * spatial, t, h, w]`; of each group of frames the nearest to its middle is kept.
    """
    _, _, frames, height, width = mask.shape
    side = vae.spatial
    size = (vae.latent_frames(frames), height // side, width // side)
    blocks = mask[0, 0].view(frames, size[1], side, size[2], side).permute(2, 4, 0, 1, 3).flatten(0, 1)
    return F.interpolate(blocks[None], size=size, mode="nearest-exact")
