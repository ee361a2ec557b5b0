"""VACE: conditioning on a control video, a mask and reference images in one tensor."""

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
    """The input of VACE's control blocks, from control video, mask and references.

    Args:
        channels: `[1, C, references + t, h, w]`, see `control_channels`.
        strength: weight of the control blocks.
        references: number of latent frames before the video.
        window: shares of the run between which `channels` are used.
        fallback_control: channels for the other steps; None gives the control blocks weight 0 there.
    """

    channels: torch.Tensor
    strength: float
    references: int
    window: tuple[float, float] = (0.0, 1.0)
    fallback_control: torch.Tensor | None = None

    def latent_frames(self, frames: int) -> int:
        """Those of the video and of the references, which are denoised together."""
        return frames + self.references

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The control channels and one weight per control block."""
        layers = len(network.config.vace_layers)
        return super().arguments(network, latents, timestep) | {
            "control_hidden_states": self.channels,
            "control_hidden_states_scale": self.channels.new_full((layers,), self.strength),
        }

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The guided velocity, with the control of this step: `channels`, the fallback, or none."""
        if call.step.within(self.window):
            return guider(call)
        if self.fallback_control is not None:
            return guider(replace(call, condition=replace(self, channels=self.fallback_control)))
        return guider(replace(call, condition=replace(self, strength=0.0, given_mask=None)))

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """The references, as the control channels hold them, then the video."""
        clean = self.channels[:, : video.shape[1], : self.references].to(video)
        return torch.cat([clean, video], dim=2)

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents after those of the references."""
        return latents[:, :, self.references :]


class Vace(Architecture):
    """Follows a control video, inpaints where the mask is white, and shows references."""

    network = "WanVACETransformer3DModel"
    supported_inputs = Architecture.supported_inputs | {"start", "end", "control", "mask", "references"}

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Latent frames of known and of masked pixels and of references; twice with a fallback control."""
        once = 2 * self.parts.vae.latent_frames(canvas.frames) + len(inputs.references)
        return once if inputs.fallback_control is None else 2 * once

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> VaceCondition:
        """Control channels of all inputs, and the mask of given latents."""
        vae, references = self.parts.vae, inputs.references
        video, mask = control_and_mask(inputs, canvas)
        channels = control_channels(vae, video, mask, references, tick)
        fallback_control = None
        if inputs.fallback_control is not None:
            fallback = control_and_mask(replace(inputs, control=inputs.fallback_control), canvas)
            fallback_control = control_channels(vae, *fallback, references, tick).to(self.dtype)
        return VaceCondition(
            given_mask=F.pad(latents_given(mask, vae), (0, 0, 0, 0, len(references), 0), value=True).to(
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

    Pixels outside and inside the mask are encoded separately, so that the network also sees the control video
    where it inpaints. Each reference is one latent frame before the video, in the order given.

    Args:
        vae: encoder.
        video: see `control_and_mask`.
        mask: see `control_and_mask`.
        references: images of the video's size.
        tick: called with the number of latent frames just encoded, `Vace.encoded_frames` in all.

    Returns:
        float32 `[1, 2 * C + spatial * spatial, references + t, h, w]`: latents of known pixels, latents of
        masked pixels, mask.

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
    """The latents that hold at least one given pixel, one outside the mask.

    Args:
        mask: `[1, 1, T, H, W]`, see `control_and_mask`.
        vae: for its scales; its first latent frame holds one frame.

    Returns:
        bool `[1, 1, t, h, w]`.
    """
    blocks = (vae.temporal, vae.spatial, vae.spatial)
    padded = F.pad(1 - mask, (0, 0, 0, 0, vae.temporal - 1, 0))
    return F.max_pool3d(padded, blocks) > 0


def control_and_mask(inputs: Inputs, canvas: Canvas) -> tuple[torch.Tensor, torch.Tensor]:
    """The control video with start and end frames in it, and the mask of what to inpaint.

    Start and end frames replace the first and last control frames and are not masked. Without a control video
    the others are 0, the mid gray that VACE was trained on as empty.

    Returns:
        float32 `[1, 3, T, H, W]` in [-1, 1], and float32 `[1, 1, T, H, W]`, 1 where the model inpaints.
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
    """The mask at the size of the latents, each block of pixels folded into channels.

    Args:
        mask: `[1, 1, T, H, W]`.
        vae: for its scales.

    Returns:
        `[1, spatial * spatial, t, h, w]`; of each group of frames the one nearest its
        middle is taken.
    """
    _, _, frames, height, width = mask.shape
    side = vae.spatial
    size = (vae.latent_frames(frames), height // side, width // side)
    blocks = mask[0, 0].view(frames, size[1], side, size[2], side).permute(2, 4, 0, 1, 3).flatten(0, 1)
    return F.interpolate(blocks[None], size=size, mode="nearest-exact")
