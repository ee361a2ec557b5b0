"""Wan 2.1 and its relatives: text to video, image to video, first and last frame, VACE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.errors import RequestError
from wangp_cli.pipelines import attention, wan_image, wan_vace
from wangp_cli.pipelines.pictures import Canvas, check_inputs
from wangp_cli.pipelines.sampling import check_finite, draw_noise, guide, sample
from wangp_cli.pipelines.schedules import schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wangp_cli.catalogue import ModelSpec
    from wangp_cli.media.clip import Frames
    from wangp_cli.pipelines.base import Inputs, Placement, Progress, Stage
    from wangp_cli.pipelines.sampling import Denoiser
    from wangp_cli.pipelines.text import TextEncoder
    from wangp_cli.pipelines.vae import Vae
    from wangp_cli.pipelines.wan_image import ImageEncoder
    from wangp_cli.tasks.shot import Shot

READS = {
    "t2v": frozenset[str](),
    "i2v": frozenset({"start", "end"}),
    "flf2v": frozenset({"start", "end"}),
    "vace": frozenset({"start", "end", "control", "mask", "references"}),
}
"""The inputs each architecture has code for; a model's catalogue entry may allow fewer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditioning:
    """What the network is told besides the noise.

    Args:
        canvas: size and length of the shot it was made for.
        prompt: `[1, L, D]`.
        negative: the same for the negative prompt; None runs one pass.
        known: `[1, C, t, h, w]`, channels beside the latents, of image-to-video models.
        image: `[1 or 2, tokens, D]`, CLIP's view of pictures.
        control: `[1, C, references + t, h, w]` of VACE.
        references: latent frames before the video.
    """

    canvas: Canvas
    prompt: torch.Tensor
    negative: torch.Tensor | None
    known: torch.Tensor | None = None
    image: torch.Tensor | None = None
    control: torch.Tensor | None = None
    references: int = 0


class Wan:
    """A loaded Wan model: `Pipeline` with conditioning of its own type and latents as plain tensors.

    Latents are float32 `[1, C, t, h, w]`, normalised, without the frames of references.
    """

    def __init__(
        self,
        spec: ModelSpec,
        placement: Placement,
        transformer: Any,
        text: TextEncoder,
        vae: Vae,
        image: ImageEncoder | None = None,
    ) -> None:
        self.spec = spec
        self._placement = placement
        self._transformer = transformer
        self._text = text
        self._vae = vae
        self._image = image
        self._dtype: torch.dtype = getattr(torch, placement.dtype)
        self._both_ends = transformer.config.get("pos_embed_seq_len") is not None

    def encode(self, shot: Shot, inputs: Inputs, progress: Progress) -> Conditioning:
        """Text and pictures as conditioning.

        Raises:
            RequestError: an input is missing, not served by this model, or does not fit the shot.
        """
        canvas = self._check(shot, inputs)
        tick = counter(progress, "encode", 1 + self._encoded_frames(inputs, canvas))
        prompt = self._embed(shot.prompt)
        negative = self._embed(shot.negative_prompt) if shot.guidance_scale > 1 else None
        text = Conditioning(canvas=canvas, prompt=prompt, negative=negative)
        tick(1)
        if self.spec.architecture == "vace":
            control = wan_vace.control_channels(self._vae, inputs, canvas, tick).to(self._dtype)
            return replace(text, control=control, references=len(inputs.references))
        if self.spec.architecture == "t2v":
            return text
        known = wan_image.known_channels(self._vae, inputs, canvas, tick)
        image = None
        if self._image is not None:
            tokens = wan_image.image_tokens(self._image, inputs, both_ends=self._both_ends)
            image = tokens.to(self._dtype)
        return replace(text, known=known, image=image)

    def denoise(self, shot: Shot, conditioning: Conditioning, progress: Progress) -> torch.Tensor:
        """Latents of the shot.

        Raises:
            GenerationError: the latents are no longer finite.
        """
        canvas = Canvas.of(shot)
        if canvas != conditioning.canvas or (shot.guidance_scale > 1) != (conditioning.negative is not None):
            raise ValueError("the conditioning was made for another size, length or guidance")
        frames = self._vae.latent_frames(canvas.frames) + conditioning.references
        side = self._vae.spatial
        shape = (1, self._vae.channels, frames, canvas.height // side, canvas.width // side)
        device = self._placement.device
        steps = schedule(shot.sampler, shot.steps, shot.flow_shift, device)
        denoiser = self._denoiser(shot, conditioning)
        with torch.inference_mode(), attention.using(self._placement.attention):
            latents = sample(denoiser, steps, draw_noise(shape, shot.seed, device), progress)
        return latents[:, :, conditioning.references :]

    def decode(self, latents: torch.Tensor, progress: Progress) -> Iterator[Frames]:
        """Frames as float32 RGB `[1 or 4, H, W, 3]` in [0, 1], in order.

        Raises:
            GenerationError: the latents or the frames are not finite.
        """
        check_finite(latents, "before decoding")
        tiles = self._vae.tiles(latents) if self._placement.vae_tiling else 1
        tick = counter(progress, "decode", tiles * latents.shape[2])
        if tiles > 1:
            return self._vae.decode_tiled(latents, tick)
        return self._vae.decode(latents, tick)

    def close(self) -> None:
        """Give the network up; parts shared with other pipelines stay with whoever keeps them."""
        del self._transformer, self._text, self._vae, self._image
        if self._placement.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _check(self, shot: Shot, inputs: Inputs) -> Canvas:
        canvas = Canvas.of(shot)
        canvas.check_grid(self._vae.spatial * self._transformer.config.patch_size[1], self._vae.temporal)
        served = READS[self.spec.architecture] & self.spec.accepts
        for name in ("start", "end", "control", "mask", "references"):
            if getattr(inputs, name) not in (None, ()) and name not in served:
                raise RequestError(name, f"is not read by {self.spec.name}")
        check_inputs(inputs, canvas)
        if self.spec.architecture in ("i2v", "flf2v"):
            wan_image.check_known_frames(inputs, self._vae.temporal, both_ends=self._both_ends)
        return canvas

    def _encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        if self.spec.architecture == "vace":
            return wan_vace.encoded_frames(self._vae, inputs, canvas)
        return 0 if self.spec.architecture == "t2v" else self._vae.latent_frames(canvas.frames)

    def _embed(self, prompt: str) -> torch.Tensor:
        return self._text.embed(prompt, self.spec.text_length).to(self._dtype)

    def _denoiser(self, shot: Shot, conditioning: Conditioning) -> Denoiser:
        extra: dict[str, Any] = {}
        if conditioning.image is not None:
            extra["encoder_hidden_states_image"] = conditioning.image
        if conditioning.control is not None:
            layers = len(self._transformer.config.vace_layers)
            extra["control_hidden_states"] = conditioning.control
            extra["control_hidden_states_scale"] = conditioning.control.new_full(
                (layers,), shot.control_strength
            )

        def velocity(latents: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
            return self._transformer(
                hidden_states=latents,
                timestep=timestep.expand(1),
                encoder_hidden_states=prompt,
                return_dict=False,
                **extra,
            )[0]

        def denoiser(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            if conditioning.known is not None:
                latents = torch.cat([latents, conditioning.known], dim=1)
            latents = latents.to(self._dtype)
            positive = velocity(latents, timestep, conditioning.prompt)
            if conditioning.negative is None:
                return positive
            negative = velocity(latents, timestep, conditioning.negative)
            return guide(positive, negative, shot.guidance_scale)

        return denoiser


def counter(progress: Progress, stage: Stage, total: int) -> Callable[[int], None]:
    """A function that adds to a stage's count and reports it."""
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        progress(stage, done, total)

    return tick
