"""SkyReels V2 diffusion forcing: every latent frame has a noise level of its own; known ones are clean."""

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

SLOW = 16
"""Frames per second of the slower of the two rates that the networks tell apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DiffusionForcingCondition(Condition):
    """Latent frames that are denoised apart, behind known ones.

    Args:
        frames: latent frames of the video.
        start: float32 `[1, C, n, h, w]`, the first ones, known; None where all are made.
        lag: steps by which a block of frames begins after the one before.
        block: latent frames of a block, which sees none of those after it; 1 lets every frame see all.
        conditioning_noise: noise that known frames are shown with, 0 to 1000.
        rate: 0 for a video of `SLOW` frames per second, else 1.
        exact: let the network hide blocks by its own mask.
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
        """Latent frames that are given."""
        return 0 if self.start is None else self.start.shape[2]

    def latent_frames(self, frames: int) -> int:
        """Whole blocks; the network masks no parts of one."""
        return round_up_to_block(frames, self.block)

    def add_extra_latents(self, video: torch.Tensor) -> torch.Tensor:
        """The video's last latent frame again and again, until its block is whole."""
        more = self.latent_frames(video.shape[2]) - video.shape[2]
        return torch.cat([video, video[:, :, -1:].expand(-1, -1, more, -1, -1)], dim=2)

    def video_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents without those that fill the last block."""
        return latents[:, :, : self.frames]

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """A timestep for each latent frame, and the rate at which they play."""
        return {
            "hidden_states": latents,
            "timestep": timestep[None],
            "enable_diffusion_forcing": True,
            # One for all samples: networks that read it add it to every one.
            "fps": [self.rate],
        }

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The guided velocity; blocks see those before them alone."""
        with self._causal(call):
            return guider(call)

    def sample(
        self, denoiser: Denoiser, schedule: Schedule, latents: torch.Tensor, progress: Progress
    ) -> torch.Tensor:
        """Walk block after block from noise to a clean sample, each frame with a scheduler of its own.

        What follows the steps, such as strengths of LoRAs, follows the share of the passes that are made.
        """
        known, steps, latents = self.known, len(schedule), latents.clone()
        if self.start is not None:
            latents[:, :, :known] = self.start
        passes = steps_before_each_pass(latents.shape[2], steps, known=known, lag=self.lag, block=self.block)
        schedulers = [schedule.new_scheduler() for _ in range(latents.shape[2] - known)]
        for done, made in enumerate(passes, start=1):
            step = schedule.steps[(done - 1) * steps // len(passes)]
            told = self._timesteps(schedule, made)
            velocity = denoiser(self._shown(latents, schedule), replace(step, timestep=told))
            for index, (scheduler, count) in enumerate(zip(schedulers, made, strict=True)):
                if 0 <= count < steps:
                    frame = known + index
                    # In place, as diffusers' own loop does: the scheduler keeps a view of its first sample,
                    # and so corrects its second step from what is written here, not from the noise.
                    latents[:, :, frame] = scheduler.step(
                        velocity[:, :, frame], told[frame], latents[:, :, frame], return_dict=False
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

    def _timesteps(self, schedule: Schedule, made: list[int]) -> torch.Tensor:
        """What the network is told of each latent frame, those that wait like those that begin."""
        clean = torch.zeros_like(schedule.steps[0].timestep)
        times = [*(step.timestep for step in schedule.steps), clean]
        steps = len(schedule)
        return torch.stack(
            [
                *[clean + self.conditioning_noise] * self.known,
                *(times[min(max(count, 0), steps)] for count in made),
            ]
        )

    def _shown(self, latents: torch.Tensor, schedule: Schedule) -> torch.Tensor:
        """The latents as the network is shown them: known frames with a haze, new in every pass."""
        if not self.conditioning_noise or not self.known:
            return latents
        share = 0.001 * self.conditioning_noise
        known = latents[:, :, : self.known]
        noise = draw_noise(tuple(known.shape), schedule.generator, str(known.device))
        return torch.cat([known * (1 - share) + noise * share, latents[:, :, self.known :]], dim=2)


class DiffusionForcing(Architecture):
    """Makes a video of text, or continues given frames.

    Source: Chen et al. 2025, arXiv:2504.13074, SkyReels V2.
    """

    network = "SkyReelsV2Transformer3DModel"
    supported_inputs = Architecture.supported_inputs | {"start"}

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Refuse frames that fill a latent frame in part."""
        check_whole_start(inputs, self.parts.vae.temporal)

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """The frames to begin with."""
        return 0 if inputs.start is None else self.parts.vae.latent_frames(len(inputs.start))

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> DiffusionForcingCondition:
        """The frames to begin with as latents, in the network's precision."""
        start = None
        if inputs.start is not None:
            start = self.parts.vae.encode(to_tensor(inputs.start), tick).to(self.dtype).float()
        return DiffusionForcingCondition(
            frames=self.parts.vae.latent_frames(canvas.frames),
            start=start,
            lag=shot.ar_step,
            block=shot.causal_block_size,
            conditioning_noise=shot.addnoise_condition,
            rate=int(Fraction(shot.fps) != SLOW),
            exact=self.exact,
        )
