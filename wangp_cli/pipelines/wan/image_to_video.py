"""Wan image to video: conditioning on known frames and on CLIP embeddings of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.media.clip import as_float
from wangp_cli.pipelines.denoise.condition import Condition
from wangp_cli.pipelines.denoise.inputs import check_whole_start, to_tensor
from wangp_cli.pipelines.wan.architecture import Architecture
from wangp_cli.pipelines.wan.image_encoder import ImageEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.media.clip import Clip
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.pipelines.wan.architecture import PartName
    from wangp_cli.pipelines.wan.vae import Vae
    from wangp_cli.tasks.shot import Shot

IMAGE_TEXT_LENGTH = 512
"""Text tokens of networks with CLIP tokens: they split text from images at this place."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageCondition(Condition):
    """Known frames and CLIP embeddings of the first and perhaps the last of them.

    Args:
        known: float32 `[1, temporal + C, t, h, w]`: flags of known frames, then latents.
        image: `[1 or 2, tokens, D]`, CLIP embeddings; None for networks without CLIP.
    """

    known: torch.Tensor
    image: torch.Tensor | None = None

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The noisy latents and the known channels, concatenated along the channels."""
        arguments = super().arguments(network, torch.cat([latents, self.known], dim=1), timestep)
        return arguments if self.image is None else arguments | {"encoder_hidden_states_image": self.image}


class ImageToVideo(Architecture):
    """Generates a video from start frames, optionally with end frames, or from an anchor image (SVI)."""

    supported_inputs = Architecture.supported_inputs | {"start", "end", "anchor"}
    both_ends = False
    """The network was trained on a first and a last image, and needs both."""

    @classmethod
    def check_checkpoint(cls, spec: ModelSpec, checkpoint: Checkpoint) -> None:
        """The base checks, and that CLIP is there if the network uses it."""
        super().check_checkpoint(spec, checkpoint)
        if checkpoint.config("transformer").get("image_dim") is not None:
            if not checkpoint.has("image_encoder"):
                raise ModelError(f"{checkpoint.folder} has no image encoder")
            if spec.text_length != IMAGE_TEXT_LENGTH:
                raise ModelError(f"{spec.name} must have a text length of {IMAGE_TEXT_LENGTH}")

    @classmethod
    def matches_config(cls, config: dict[str, Any]) -> bool:
        """Whether it has channels for known frames, and positions for a second image where it needs one."""
        both_ends = config.get("pos_embed_seq_len") is not None
        return config.get("in_channels") != config.get("out_channels") and both_ends == cls.both_ends

    @classmethod
    def part_names(cls, checkpoint: Checkpoint) -> tuple[PartName, ...]:
        """The base parts, and CLIP if the network uses it."""
        has_clip = checkpoint.config("transformer").get("image_dim") is not None
        return (
            (*super().part_names(checkpoint), "image_encoder") if has_clip else super().part_names(checkpoint)
        )

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Check start frames, end frames and anchor."""
        check_known_frames(inputs, self.parts.vae.temporal, both_ends=self.both_ends)

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Latent frames of the whole video; with an anchor (SVI) those of the known frames only."""
        if inputs.anchor is not None:
            motion = 0 if inputs.motion is None else len(inputs.motion)
            ending = 0 if inputs.end is None else _ending(inputs.end).shape[2]
            return sum(self.parts.vae.latent_frames(count) for count in (1, motion, ending) if count)
        return self.parts.vae.latent_frames(canvas.frames)

    def encode(
        self,
        shot: Shot,
        inputs: Inputs,
        canvas: Canvas,
        tick: Callable[[int], None],
    ) -> ImageCondition:
        """Latents of the known frames and CLIP embeddings of the images."""
        channels = known_channels if inputs.anchor is None else anchored_channels
        known = channels(self.parts.vae, inputs, canvas, tick)
        if self.parts.image_encoder is None:
            return ImageCondition(known=known)
        tokens = image_tokens(self.parts.image_encoder, inputs, both_ends=self.both_ends)
        return ImageCondition(known=known, image=tokens.to(self.dtype))


class FirstAndLastFrame(ImageToVideo):
    """Generates the frames between a first and a last image."""

    supported_inputs = ImageToVideo.supported_inputs - {"anchor"}
    both_ends = True


def check_known_frames(inputs: Inputs, step: int, *, both_ends: bool) -> None:
    """Check that start and end frames fill whole latent frames, and that required images are there.

    Start frames are 1, 5, 9, ..., end frames 1, 4, 8, ...: a latent frame known only in part would be encoded
    together with gray.

    Args:
        inputs: of the shot.
        step: frames in a latent frame.
        both_ends: the network needs a first and a last image.

    Raises:
        RequestError: naming the input.
    """
    if inputs.anchor is not None:
        _check_motion(inputs, step)
    elif inputs.start is None:
        raise RequestError("start", "this model needs a picture to start with", hint="--image-start FILE")
    if both_ends and inputs.end is None:
        raise RequestError("end", "this model needs a picture to end with", hint="--image-end FILE")
    check_whole_start(inputs, step)
    if inputs.end is not None and len(inputs.end) != 1 and len(inputs.end) % step:
        raise RequestError(
            "end", f"{len(inputs.end)} frames, but this model takes 1, {step}, {2 * step}, ..."
        )


def _check_motion(inputs: Inputs, step: int) -> None:
    if inputs.start is not None:
        raise RequestError("start", "given beside an anchor, which stands in its place")
    if inputs.motion is not None and (len(inputs.motion) % step != 1 or len(inputs.motion) == 1):
        raise RequestError(
            "motion", f"{len(inputs.motion)} frames, but this model takes {step + 1}, {2 * step + 1}, ..."
        )


def known_channels(vae: Vae, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]) -> torch.Tensor:
    """The channels that an image-to-video network takes besides the noisy latents.

    Args:
        vae: encodes the known frames, gray between them, or a background.
        inputs: with start frames or end frames, or a background and its mask.
        canvas: of the shot.
        tick: called with the number of latent frames just encoded.

    Returns:
        float32 `[1, temporal + C, t, h, w]`: 1 where a pixel is known, then latents.

    Source: the Wan 2.1 reference code; more than one known frame extends its mask in the same way.
    """
    video = torch.zeros(1, 3, canvas.frames, canvas.height, canvas.width)
    known = torch.zeros(canvas.frames, canvas.height // vae.spatial, canvas.width // vae.spatial)
    if inputs.background is not None and inputs.mask is not None:
        video = to_tensor(inputs.background).clone()
        kept = 1 - torch.from_numpy(as_float(inputs.mask.frames)).permute(3, 0, 1, 2)
        known = F.interpolate(kept, size=known.shape[1:], mode="nearest")[0]
    if inputs.start is not None:
        video[:, :, : len(inputs.start)] = to_tensor(inputs.start)
        known[: len(inputs.start)] = 1
    if inputs.end is not None:
        video[:, :, canvas.frames - len(inputs.end) :] = to_tensor(inputs.end)
        known[canvas.frames - len(inputs.end) :] = 1
    latents = vae.encode(video, tick)
    # The first latent frame holds one frame of pixels, so that frame's flag fills all its flag channels.
    return _flagged(torch.cat([known[:1].expand(vae.temporal - 1, -1, -1), known]), latents, vae.temporal)


def anchored_channels(vae: Vae, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]) -> torch.Tensor:
    """The known channels as SVI adapters were trained on: each image is encoded by itself.

    The first latent frame is the anchor, the second the last latent frame of the motion before; the others
    are zeros, not the latents of gray, and the last ones are those of an end image. Motion is not flagged as
    known.

    Args:
        vae: encodes the images.
        inputs: with an anchor.
        canvas: of the shot.
        tick: called with the number of latent frames just encoded, `ImageToVideo.encoded_frames` in all.

    Returns:
        As `known_channels`.

    Source: Stable Video Infinity 2.0 Pro, as WanGP's `i2v_2_2_svi2pro` runs it.
    """
    assert inputs.anchor is not None
    anchor = vae.encode(to_tensor(inputs.anchor), tick)
    frames = vae.latent_frames(canvas.frames)
    latents = anchor.new_zeros(1, anchor.shape[1], frames, *anchor.shape[3:])
    known = torch.zeros(frames * vae.temporal, *anchor.shape[3:])
    latents[:, :, :1], known[: vae.temporal] = anchor, 1
    if inputs.motion is not None:
        latents[:, :, 1:2] = vae.encode(to_tensor(inputs.motion), tick)[:, :, -1:]
    if inputs.end is not None:
        places = -(-len(inputs.end) // vae.temporal)
        latents[:, :, -places:] = vae.encode(_ending(inputs.end), tick)[:, :, -places:]
        known[-len(inputs.end) :] = 1
    return _flagged(known, latents, vae.temporal)


def _ending(end: Clip) -> torch.Tensor:
    """Pixels to encode for end frames; several follow a copy of their first, which fills the first latent."""
    pixels = to_tensor(end)
    return pixels if len(end) == 1 else torch.cat([pixels[:, :, :1], pixels], dim=2)


def _flagged(known: torch.Tensor, latents: torch.Tensor, step: int) -> torch.Tensor:
    """Flag channels from `known` `[step * t, h, w]`, then the latents of `t` latent frames."""
    flags = known.unflatten(0, (-1, step)).transpose(0, 1)[None]
    return torch.cat([flags.to(latents), latents], dim=1)


def image_tokens(encoder: ImageEncoder, inputs: Inputs, *, both_ends: bool) -> torch.Tensor:
    """CLIP embeddings of the images for the cross-attention.

    Networks trained on two images get the first and the last, all others only the first.

    Returns:
        `[1 or 2, tokens, D]`.
    """
    first = inputs.start or inputs.anchor
    images = [clip.frames[index] for clip, index in ((first, 0), (inputs.end, -1)) if clip is not None]
    return encoder.embed(images if both_ends else images[:1])
