"""The pipeline of all Wan models; what differs between them is in their architectures."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.errors import RequestError
from wangp_cli.files.units import format_bytes
from wangp_cli.pipelines.base import Decoded, Inputs
from wangp_cli.pipelines.denoise import attention, step_cache
from wangp_cli.pipelines.denoise.condition import NetworkCall
from wangp_cli.pipelines.denoise.guidance import ClassifierFreeGuider
from wangp_cli.pipelines.denoise.inputs import Canvas, check_inputs, to_tensor
from wangp_cli.pipelines.denoise.loop import add_noise, check_finite, draw_noise, noise_generator
from wangp_cli.pipelines.denoise.schedules import schedule
from wangp_cli.pipelines.memory import meter, profiles
from wangp_cli.pipelines.wan import nag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wangp_cli.pipelines.base import LoadedLora, Lora, Placement, Progress
    from wangp_cli.pipelines.denoise.condition import Condition
    from wangp_cli.pipelines.denoise.steps import Denoiser, Step
    from wangp_cli.pipelines.lora.adapters import LoraAdapters
    from wangp_cli.pipelines.wan.architecture import Architecture
    from wangp_cli.tasks.shot import Shot
    from wangp_cli.tasks.stages import Stage

log = logging.getLogger(__name__)

MAX_SIDE = 1 << 20
"""Pixels; above any side of a frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditioning:
    """The result of `Wan.encode`.

    Args:
        canvas: size and length of the shot it was encoded for.
        prompt: `[1, L, D]`, the embedded prompt.
        negative: `[1, L, D]`, the embedded negative prompt; None where no step uses it.
        condition: besides the prompts.
        initial: float32 `[1, C, t, h, w]`, latents to start from; None starts from noise.
    """

    canvas: Canvas
    prompt: torch.Tensor
    negative: torch.Tensor | None
    condition: Condition
    initial: torch.Tensor | None = None


class Wan:
    """A loaded Wan model: `Pipeline` with conditioning of its own type and latents as plain tensors.

    Latents are float32 `[1, C, t, h, w]`, normalised, those of the video alone.

    Args:
        architecture: with the loaded parts other than the transformers.
        networks: one transformer, or one for high and one for low noise.
        placement: device, dtypes and kernels.
        adapters: LoRAs of the networks.
        profile_reason: why the profile was chosen.
    """

    def __init__(
        self,
        architecture: Architecture,
        networks: Sequence[Any],
        placement: Placement,
        adapters: LoraAdapters,
        *,
        profile_reason: str = "",
    ) -> None:
        self.spec = architecture.spec
        self._architecture = architecture
        self._networks = list(networks)
        self.placement = placement
        self.profile_reason = profile_reason
        self._adapters = adapters
        self._vae = architecture.parts.vae

    def reconfigure(self, placement: Placement) -> None:
        """Change attention, tiling, boost and step cache; what a loaded model cannot change stays as it is.

        Raises:
            ResourceError: the attention backend is not available here.
            ModelError: the step cache must be calibrated first.
        """
        attention.check(placement.attention, placement.device)
        self._architecture.check_placement(self.spec, placement)
        step_cache.check(placement, self.spec.name)
        self.placement = replace(
            self.placement,
            attention=placement.attention,
            vae_tiling=placement.vae_tiling,
            boost=placement.boost,
            cache=placement.cache,
        )

    def set_loras(self, loras: Sequence[Lora]) -> list[LoadedLora]:
        """Make exactly these LoRAs active; files that are active already are not read again.

        Raises:
            ModelError: a file is missing or broken, or does not fit; the active LoRAs stay active.
        """
        return self._adapters.set_loras(loras)

    def encode(self, shot: Shot, inputs: Inputs, progress: Progress) -> Conditioning:
        """Embed the prompts and encode the inputs of a shot.

        Raises:
            RequestError: an input is missing, not served by this model, or does not fit the shot.
        """
        canvas = self._check(shot, inputs)
        encoded = self._architecture.encoded_frames(inputs, canvas)
        if shot.denoising_strength < 1:
            encoded += self._vae.latent_frames(canvas.frames)
        tick = counter(progress, "encode", 1 + encoded)
        prompt = self._embed(shot.prompt)
        negative = self._embed(shot.negative_prompt) if shot.uses_negative_prompt else None
        tick(1)
        condition = self._architecture.encode(shot, inputs, canvas, tick)
        initial = None
        if inputs.initial is not None and shot.denoising_strength < 1:
            initial = condition.add_extra_latents(self._vae.encode(to_tensor(inputs.initial), tick))
        return Conditioning(
            canvas=canvas, prompt=prompt, negative=negative, condition=condition, initial=initial
        )

    def denoise(self, shot: Shot, conditioning: Conditioning, progress: Progress) -> torch.Tensor:
        """Denoise the latents of a shot.

        Raises:
            GenerationError: the latents are no longer finite.
        """
        canvas, condition = Canvas.of(shot), conditioning.condition
        if (
            canvas != conditioning.canvas
            or shot.uses_negative_prompt != (conditioning.negative is not None)
            or (shot.denoising_strength < 1) != (conditioning.initial is not None)
        ):
            raise ValueError("the conditioning was made for another size, length, guidance or start")
        frames = condition.latent_frames(self._vae.latent_frames(canvas.frames))
        side = self._vae.spatial
        shape = (1, self._vae.channels, frames, canvas.height // side, canvas.width // side)
        device, generator = self.placement.device, noise_generator(shot.seed)
        steps = schedule(shot, device, experts=len(self._networks), generator=generator)
        latents = draw_noise(shape, generator, device)
        cached = step_cache.caching(self.placement, self.spec.name, self._networks, steps.steps)
        with torch.inference_mode(), attention.using(self.placement.attention), cached:
            condition = self._architecture.prepare(condition)
            if conditioning.initial is not None:
                latents = add_noise(conditioning.initial, latents, steps.sigmas[0])
            latents = condition.sample(
                self._denoiser(shot, conditioning, condition), steps, latents, progress
            )
            return condition.video_latents(latents)

    def tiles(self, latents: torch.Tensor) -> list[int | None]:
        """Tile sides in pixels to decode with, None for no tiles: the one to use, then smaller ones."""
        height, width = (side * self._vae.spatial for side in latents.shape[3:])
        first = None if self.placement.vae_tiling in ("auto", "off") else int(self.placement.vae_tiling)
        if self.placement.vae_tiling == "auto":
            room = int(profiles.WEIGHTS_SHARE * meter.free(self.placement.device))
            first = meter.tile_side(self._vae.decoding_bytes, height, width, room)
            if first:
                log.warning(
                    "vae_tiling: %d, as %s are free", first, format_bytes(room / profiles.WEIGHTS_SHARE)
                )
        limit = min(first or MAX_SIDE, max(height, width))
        return [first, *(side for side in meter.TILE_SIDES if side < limit)]

    def decode(self, latents: torch.Tensor, progress: Progress, tile: int | None = None) -> Decoded:
        """Frames of latents, in pieces of 1 or 4; without audio.

        Args:
            latents: normalised.
            progress: called after each latent frame of each tile.
            tile: side in pixels of tiles that are decoded one by one; None for no tiles.

        Raises:
            GenerationError: the latents or the frames are not finite.
        """
        check_finite(latents, "before decoding")
        tiles = self._vae.tiles(latents, tile) if tile else 1
        tick = counter(progress, "decode", tiles * latents.shape[2])
        decode = self._vae.decode_tiled if tiles > 1 else self._vae.decode
        return Decoded(frames=decode(latents, tick))

    def close(self) -> None:
        """Drop references to networks and parts; parts that other pipelines share stay loaded."""
        del self._networks, self._architecture, self._vae, self._adapters
        if self.placement.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _check(self, shot: Shot, inputs: Inputs) -> Canvas:
        canvas = Canvas.of(shot)
        canvas.check_grid(self._vae.spatial * self._networks[0].config.patch_size[1], self._vae.temporal)
        served = self._architecture.supported_inputs & self.spec.accepts
        for field in fields(Inputs):
            # An input that only goes with another is accepted where that one is.
            ability = {"fallback_control": "control", "motion": "anchor"}.get(field.name, field.name)
            if getattr(inputs, field.name) not in (None, ()) and ability not in served:
                raise RequestError(field.name, f"is not read by {self.spec.name}")
        if shot.denoising_strength < 1 and inputs.initial is None:
            raise RequestError(
                "denoising_strength", f"{shot.denoising_strength}, but there is no video to start from"
            )
        shot.check_guidance(self.spec)
        layers = len(self._networks[0].blocks)
        if shot.skip_layers and (last := max(shot.skip_layers)) >= layers:
            raise RequestError("skip_layers", f"{last}, but {self.spec.name} has layers 0 to {layers - 1}")
        check_inputs(inputs, canvas)
        self._architecture.check(inputs, canvas)
        return canvas

    def _embed(self, prompt: str) -> torch.Tensor:
        text = self._architecture.parts.text_encoder
        return text.embed(prompt, self.spec.text_length).to(self._architecture.dtype)

    def _denoiser(self, shot: Shot, conditioning: Conditioning, condition: Condition) -> Denoiser:
        guider = ClassifierFreeGuider(
            shot, conditioning.prompt, conditioning.negative, nag=nag.guiding, boost=self.placement.boost
        )

        def denoiser(latents: torch.Tensor, step: Step) -> torch.Tensor:
            self._adapters.set_step(step)
            network = self._networks[step.expert]
            return condition.velocity(
                NetworkCall(network=network, condition=condition, latents=latents, step=step), guider
            )

        return denoiser


def counter(progress: Progress, stage: Stage, total: int) -> Callable[[int], None]:
    """A function that adds a number of units to those of a stage and reports the sum as progress."""
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        progress(stage, done, total)

    return tick
