"""SkyReels V2 diffusion forcing: each latent frame has its own noise level; known frames are clean."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.pipelines.denoise.condition import Condition
from wangp_cli.pipelines.denoise.inputs import check_whole_start, to_tensor
from wangp_cli.pipelines.denoise.loop import STEPS_BETWEEN_CHECKS, check_finite, draw_noise
from wangp_cli.pipelines.wan import causal_attention
from wangp_cli.pipelines.wan.architecture import Architecture
from wangp_cli.plan.diffusion_forcing import round_up_to_block, steps_before_each_pass

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from wangp_cli.pipelines.base import Inputs, Progress
    from wangp_cli.pipelines.denoise.condition import Guider, NetworkCall
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.pipelines.denoise.schedules import Schedule
    from wangp_cli.pipelines.denoise.steps import Denoiser
    from wangp_cli.tasks.shot import Shot

LOW_RATE = 16
"""Frames per second of the lower of the two rates that the networks distinguish."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DiffusionForcingCondition(Condition):
    """Known first latent frames, and how the others are denoised in blocks.

    Args:
        frames: number of latent frames of the video.
        start: float32 `[1, C, n, h, w]`, the first latent frames; None where all are generated.
        lag: steps by which each block starts later than the block before.
        block: latent frames of a block, which does not attend to later blocks; 1 is full attention.
        conditioning_noise: noise added to known frames in each pass, 0 to 1000.
        rate: 0 for a video of `LOW_RATE` frames per second, else 1.
        exact: use the network's own block mask, as the stock pipeline does.
    """

    frames: int
    start: torch.Tensor | None
    lag: int
    block: int
    conditioning_noise: int
    rate: int
    exact: bool

    @property
    def known(self) -> int:
        """Number of known latent frames."""
        return 0 if self.start is None else self.start.shape[2]

    def latent_frames(self, frames: int) -> int:
        """`frames` rounded up to whole blocks."""
        return round_up_to_block(frames, self.block)

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """The video with its last latent frame repeated until the last block is full."""
        more = self.latent_frames(video.shape[2]) - video.shape[2]
        return torch.cat([video, video[:, :, -1:].expand(-1, -1, more, -1, -1)], dim=2)

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents without those that only fill the last block."""
        return latents[:, :, : self.frames]

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """A timestep for each latent frame, and the frame rate."""
        return {
            "hidden_states": latents,
            "timestep": timestep[None],
            "enable_diffusion_forcing": True,
            # One rate for the whole batch: networks add its embedding to every sample.
            "fps": [self.rate],
        }

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The guided velocity, with attention that is causal between blocks."""
        with self._causal(call):
            return guider(call)

    def sample(
        self, denoiser: Denoiser, schedule: Schedule, latents: torch.Tensor, progress: Progress
    ) -> torch.Tensor:
        """Denoise block after block; each latent frame has its own scheduler.

        There are more passes than steps: phases and LoRA strengths follow the share of the passes done.
        """
        known, steps, latents = self.known, len(schedule), latents.clone()
        if self.start is not None:
            latents[:, :, :known] = self.start
        passes = steps_before_each_pass(latents.shape[2], steps, known=known, lag=self.lag, block=self.block)
        schedulers = [schedule.new_scheduler() for _ in range(latents.shape[2] - known)]
        for done, counts in enumerate(passes, start=1):
            step = schedule.steps[(done - 1) * steps // len(passes)]
            timesteps = self._timesteps(schedule, counts)
            velocity = denoiser(self._with_noise(latents, schedule), replace(step, timestep=timesteps))
            for index, (scheduler, count) in enumerate(zip(schedulers, counts, strict=True)):
                if 0 <= count < steps:
                    frame = known + index
                    # In place, as in diffusers' own loop: the scheduler keeps a view of its first sample, so
                    # its second step is corrected from the value written here, not from the noise.
                    latents[:, :, frame] = scheduler.step(
                        velocity[:, :, frame], timesteps[frame], latents[:, :, frame], return_dict=False
                    )[0]
            if done % STEPS_BETWEEN_CHECKS == 0 or done == len(passes):
                check_finite(latents, f"after pass {done} of {len(passes)}")
            progress("denoise", done, len(passes))
        return latents

    def _causal(self, call: NetworkCall) -> AbstractContextManager[None]:
        if self.block == 1:
            return nullcontext()
        if self.exact:
            return causal_attention.masked(call.network, self.block)
        _, rows, columns = call.network.config.patch_size
        height, width = call.latents.shape[3:]
        return causal_attention.blockwise(call.network, self.block * (height // rows) * (width // columns))

    def _timesteps(self, schedule: Schedule, counts: list[int]) -> torch.Tensor:
        """The timestep of each latent frame, by the steps each has made; `[t]`."""
        clean = torch.zeros_like(schedule.steps[0].timestep)
        times = [*(step.timestep for step in schedule.steps), clean]
        steps = len(schedule)
        return torch.stack(
            [
                *[clean + self.conditioning_noise] * self.known,
                *(times[min(max(count, 0), steps)] for count in counts),
            ]
        )

    def _with_noise(self, latents: torch.Tensor, schedule: Schedule) -> torch.Tensor:
        """The latents with conditioning noise on the known frames, drawn for every pass."""
        if not self.conditioning_noise or not self.known:
            return latents
        share = 0.001 * self.conditioning_noise
        known = latents[:, :, : self.known]
        noise = draw_noise(tuple(known.shape), schedule.generator, str(known.device))
        return torch.cat([known * (1 - share) + noise * share, latents[:, :, self.known :]], dim=2)


class DiffusionForcing(Architecture):
    """Text to video, or continuation of start frames.

    Source: Chen et al. 2025, arXiv:2504.13074, SkyReels V2.
    """

    network = "SkyReelsV2Transformer3DModel"
    supported_inputs = Architecture.supported_inputs | {"start"}

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Check that start frames fill whole latent frames."""
        check_whole_start(inputs, self.parts.vae.temporal)

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Latent frames of the start frames."""
        return 0 if inputs.start is None else self.parts.vae.latent_frames(len(inputs.start))

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> DiffusionForcingCondition:
        """Latents of the start frames, rounded to the network's dtype."""
        start = None
        if inputs.start is not None:
            start = self.parts.vae.encode(to_tensor(inputs.start), tick).to(self.dtype).float()
        return DiffusionForcingCondition(
            frames=self.parts.vae.latent_frames(canvas.frames),
            start=start,
            lag=shot.ar_step,
            block=shot.causal_block_size,
            conditioning_noise=shot.addnoise_condition,
            rate=int(Fraction(shot.fps) != LOW_RATE),
            exact=self.exact,
        )
