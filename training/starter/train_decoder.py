# mypy: allow-untyped-decorators
"""Training of the starter's decoder with its encoder fixed."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor, nn

from training.starter.autoencoder import decode_clip, encode_clip
from training.starter.optim import Average, Muon, rate
from training.starter.world import FRAMES, SIDE, draw, paths, sample_scene

log = logging.getLogger(__name__)

_CELL = 8
_LEARNING_RATES = {"matrices": 0.01, "rest": 2e-3}


@dataclass(frozen=True, kw_only=True)
class DecoderPlan:
    """Settings of the training of the decoder."""

    seconds: float
    clips: int = 1000
    batch: int = 12
    crop: int = 4
    """Latent cells on a side of a crop."""
    whole_clips_from: float = 0.75
    """Share of the time after which whole clips are decoded instead of crops."""
    latent_noise: float = 0.12
    side: int = SIDE
    seed: int = 21


def train_decoder(vae: AutoencoderKLWan, plan: DecoderPlan, save: Callable[[], None] | None = None) -> None:
    """Train the decoder in place, and give it the exponential moving average of its weights.

    Args:
        save: called about once a minute, while the decoder has the averaged weights.
    """
    rng = random.Random(plan.seed)
    torch.manual_seed(plan.seed)
    pool = ClipPool(vae, plan, rng)
    deviation = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1)
    decoder = vae.decoder.requires_grad_(True).train()
    prefer_channels_last(decoder)
    optimisers = _optimisers(decoder)
    average = Average(list(decoder.parameters()), 0.995)
    start = time.monotonic()
    step, next_save = 0, 60.0
    while (elapsed := time.monotonic() - start) < plan.seconds or step == 0:
        progress = elapsed / plan.seconds
        clips, latents = pool.batch(whole=progress > plan.whole_clips_from)
        strength = torch.rand(len(latents), 1, 1, 1, 1).mul(2).sub(1).clamp(min=0) * plan.latent_noise
        latents = latents + deviation * torch.randn_like(latents) * strength
        with torch.autocast("cpu", torch.bfloat16):
            decoded = decode_clip(vae, latents.contiguous(memory_format=torch.channels_last_3d))
        loss = reconstruction_loss(decoded.float(), clips)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        factor = rate(progress, step, warmup=40, hold=0.4)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        average.update()
        step += 1
        if elapsed > next_save:
            next_save += 60.0
            average.swap()
            log.info("decoder step %d, %.0f s: %.2f dB on unseen clips", step, elapsed, pool.validate())
            if save is not None:
                save()
            average.swap()
    average.swap()
    decoder.requires_grad_(False).eval()
    log.info("decoder after %d steps: %.2f dB on unseen clips", step, pool.validate())


def reconstruction_loss(decoded: Tensor, clips: Tensor) -> Tensor:
    """L1 errors of values, spatial gradients and temporal differences, plus the squared error."""
    error = decoded - clips
    gradients = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    changes = error.diff(dim=2).abs().mean()
    return error.abs().mean() + 0.5 * gradients + 0.25 * changes + 2 * error.square().mean()


class ClipPool:
    """Rendered clips with their latents for training, and a few withheld ones for validation."""

    @torch.no_grad()
    def __init__(self, vae: AutoencoderKLWan, plan: DecoderPlan, rng: random.Random) -> None:
        self.vae, self.plan, self.rng = vae, plan, rng
        clips, latents, self.places = [], [], []
        for _ in range(0, plan.clips, 50):
            scenes = [sample_scene(rng, spread=rng.choice((0.3, 1.0))) for _ in range(min(50, plan.clips))]
            drawn = draw(scenes, FRAMES, plan.side)
            clips.append(drawn.half())
            latents.append(encode_clip(vae, drawn))
            self.places += [paths(scene) for scene in scenes]
        self.clips, self.latents = torch.cat(clips), torch.cat(latents)
        unseen = random.Random(777)
        self.unseen = draw([sample_scene(unseen, withheld=True) for _ in range(12)], FRAMES, plan.side)
        self.unseen_latents = encode_clip(vae, self.unseen)

    def batch(self, *, whole: bool) -> tuple[Tensor, Tensor]:
        """Crops or whole clips of one step, with their latents."""
        cells = self.plan.side // _CELL
        size = cells if whole else min(cells, self.plan.crop)
        count = max(2, self.plan.batch // 4) if whole else self.plan.batch
        clips, latents = [], []
        for _ in range(count):
            index = self.rng.randrange(len(self.clips))
            column, row = self._corner(index, cells, size)
            rows, columns = slice(row, row + size), slice(column, column + size)
            latents.append(self.latents[index, :, :, rows, columns])
            rows, columns = (slice(part.start * _CELL, part.stop * _CELL) for part in (rows, columns))
            clips.append(self.clips[index, :, :, rows, columns])
        return torch.stack(clips).float(), torch.stack(latents)

    @torch.no_grad()
    def validate(self) -> float:
        """Mean PSNR in dB of decoded withheld clips."""
        decoded = torch.cat([decode_clip(self.vae, part) for part in self.unseen_latents.split(4)])
        errors = (decoded.clamp(-1, 1) - self.unseen).square().mean((1, 2, 3, 4))
        return float((10 * torch.log10(4 / errors)).mean())

    def _corner(self, index: int, cells: int, size: int) -> tuple[int, int]:
        """Column and row of a crop; three in four crops contain the border of the shape."""
        if self.rng.random() > 0.75:
            return self.rng.randrange(cells - size + 1), self.rng.randrange(cells - size + 1)
        x, y, radius = self.places[index]
        frame = self.rng.randrange(len(x))
        corner = [
            round(cells * (path[frame] + radius[frame] * self.rng.uniform(-1, 1)) - size * self.rng.random())
            for path in (x, y)
        ]
        column, row = (max(0, min(cells - size, value)) for value in corner)
        return column, row


def _optimisers(decoder: nn.Module) -> tuple[torch.optim.Optimizer, ...]:
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in decoder.named_parameters():
        is_inner = "conv_in" not in name and "conv_out" not in name
        large = parameter.ndim >= 4 and parameter.numel() >= 1024 and is_inner
        (matrices if large else rest).append(parameter)
    optimisers: tuple[torch.optim.Optimizer, ...] = (
        Muon(matrices, lr=_LEARNING_RATES["matrices"]),
        torch.optim.AdamW(rest, lr=_LEARNING_RATES["rest"], betas=(0.9, 0.98), weight_decay=0.0),
    )
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["initial_lr"] = group["lr"]
    return optimisers


def prefer_channels_last(module: nn.Module) -> None:
    """Set weights of convolutions to channels last, which is faster on a CPU."""
    for part in module.modules():
        if isinstance(part, nn.Conv3d):
            part.weight.data = part.weight.data.contiguous(memory_format=torch.channels_last_3d)
        elif isinstance(part, nn.Conv2d):
            part.weight.data = part.weight.data.contiguous(memory_format=torch.channels_last)
