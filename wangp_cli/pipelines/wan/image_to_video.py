"""What Wan's image-to-video models are conditioned on: known frames, and CLIP's view of pictures."""

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
"""Networks with CLIP tokens split text from pictures at this place, whatever the text's length."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageCondition(Condition):
    """Frames that are known, and CLIP's view of them.

    Args:
        known: float32 `[1, temporal + C, t, h, w]`, channels beside the noisy latents.
        image: `[1 or 2, tokens, D]`; None for networks without CLIP.
    """

    known: torch.Tensor
    image: torch.Tensor | None = None

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The known channels behind the noisy ones."""
        given = super().arguments(network, torch.cat([latents, self.known], dim=1), timestep)
        return given if self.image is None else given | {"encoder_hidden_states_image": self.image}


class ImageToVideo(Architecture):
    """Begins with given frames, and may end with some."""

    supported_inputs = Architecture.supported_inputs | {"start", "end", "anchor"}
    both_ends = False
    """The network was trained on a first and a last picture, and needs both."""

    @classmethod
    def check_checkpoint(cls, spec: ModelSpec, checkpoint: Checkpoint) -> None:
        """As for all, and CLIP is there if the network reads it."""
        super().check_checkpoint(spec, checkpoint)
        if checkpoint.config("transformer").get("image_dim") is not None:
            if not checkpoint.has("image_encoder"):
                raise ModelError(f"{checkpoint.folder} has no image encoder")
            if spec.text_length != IMAGE_TEXT_LENGTH:
                raise ModelError(f"{spec.name} must have a text length of {IMAGE_TEXT_LENGTH}")

    @classmethod
    def matches_config(cls, config: dict[str, Any]) -> bool:
        """It has channels for known frames, and a place for a second picture where it needs one."""
        both_ends = config.get("pos_embed_seq_len") is not None
        return config.get("in_channels") != config.get("out_channels") and both_ends == cls.both_ends

    @classmethod
    def part_names(cls, checkpoint: Checkpoint) -> tuple[PartName, ...]:
        """CLIP too, where the network reads it."""
        sees = checkpoint.config("transformer").get("image_dim") is not None
        return (*super().part_names(checkpoint), "image_encoder") if sees else super().part_names(checkpoint)

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Refuse pictures it cannot begin or end with."""
        check_known_frames(inputs, self.parts.vae.temporal, both_ends=self.both_ends)

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """The whole video, gray where nothing is known; of SVI the known pictures alone."""
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
        """The known frames as latents, and what CLIP sees in them."""
        channels = known_channels if inputs.anchor is None else anchored_channels
        known = channels(self.parts.vae, inputs, canvas, tick)
        if self.parts.image_encoder is None:
            return ImageCondition(known=known)
        tokens = image_tokens(self.parts.image_encoder, inputs, both_ends=self.both_ends)
        return ImageCondition(known=known, image=tokens.to(self.dtype))


class FirstAndLastFrame(ImageToVideo):
    """Fills the frames between a first and a last picture."""

    supported_inputs = ImageToVideo.supported_inputs - {"anchor"}
    both_ends = True


def check_known_frames(inputs: Inputs, step: int, *, both_ends: bool) -> None:
    """Refuse pictures this kind of model cannot begin or end with.

    Several frames to begin with must fill whole latent frames (1, 5, 9, ...), as many to end with too (1, 4,
    8, ...): a latent frame that is known in part would be encoded together with gray.

    Args:
        inputs: of the shot.
        step: frames in a latent frame.
        both_ends: the network needs a first and a last picture.

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
    """The channels an image-to-video network sees beside the noisy latents.

    Args:
        vae: encodes the known frames, gray between them, or a background.
        inputs: with frames to start with or to end with, or a background and a mask over it.
        canvas: of the shot.
        tick: told how many latent frames are encoded.

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
    # The first latent frame is one frame of pixels, so its flag stands for all of its places.
    return _flagged(torch.cat([known[:1].expand(vae.temporal - 1, -1, -1), known]), latents, vae.temporal)


def anchored_channels(vae: Vae, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]) -> torch.Tensor:
    """The same channels as networks with SVI adapters were trained on: each picture a latent of its own.

    The anchor comes first, behind it the last latent frame of the motion before, then nothing at all, which
    is zero and not gray; an end picture fills the last places. Motion is shown, but never flagged as known.

    Args:
        vae: encodes the pictures.
        inputs: with an anchor.
        canvas: of the shot.
        tick: told how many latent frames are encoded, `ImageToVideo.encoded_frames` in all.

    Returns:
        as `known_channels`.

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
    """Pixels of which the last latent frames are those of the end: several frames follow one."""
    pixels = to_tensor(end)
    return pixels if len(end) == 1 else torch.cat([pixels[:, :, :1], pixels], dim=2)


def _flagged(known: torch.Tensor, latents: torch.Tensor, step: int) -> torch.Tensor:
    """Latents behind the channels that flag them: `known` is `[step * t, h, w]` of latents of `t` frames."""
    flags = known.unflatten(0, (-1, step)).transpose(0, 1)[None]
    return torch.cat([flags.to(latents), latents], dim=1)


def image_tokens(encoder: ImageEncoder, inputs: Inputs, *, both_ends: bool) -> torch.Tensor:
    """What the cross-attention sees of the pictures.

    Networks trained on two pictures get the first and the last, all others the first alone: they have no
    place for a second one.

    Returns:
        `[1 or 2, tokens, D]`.
    """
    first = inputs.start or inputs.anchor
    pictures = [clip.frames[index] for clip, index in ((first, 0), (inputs.end, -1)) if clip is not None]
    return encoder.embed(pictures if both_ends else pictures[:1])
