# mypy: allow-untyped-decorators, allow-subclassing-any
"""Training of the starter's denoiser and text encoder with rectified flow."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor, nn

from training.starter.autoencoder import CONTENT_CHANNELS
from training.starter.data import HOLES, Batch, Grid, ScenePool
from training.starter.decoded import decoded_error
from training.starter.fast import FastDenoiser, to_latents, to_tokens
from training.starter.model import Model
from training.starter.networks import (
    WORDS,
)
from training.starter.optim import Average, Muon, rate
from training.starter.probe import probe_motion
from training.starter.train_decoder import prefer_channels_last
from training.starter.world import SIDE

log = logging.getLogger(__name__)

_MUON_RATE, _ADAM_RATE = 0.02, 2e-3


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training at one size."""

    seconds: float
    side: int = SIDE
    batch: int = 32
    near: int = 5000
    wide: int = 3000
    conditional: float = 0.5
    holes: float = HOLES
    """Part of clips with something given of which that is all but a part of the picture."""
    shift: float = 5.0
    """How far noise levels are moved towards pure noise."""
    late: float = 0.0
    """Part of noise levels that lie where the last steps of sampling are: there, given detail is copied."""
    known_weight: float = 3.0
    """Weight of the error where every pixel is given; elsewhere it is 1."""
    pixel_weight: float = 0.0
    """Weight of what the error means at given pixels, also where a block or four frames are given in part."""
    decoded_weight: float = 0.0
    """Weight of the error at given pixels of decoded crops."""
    rate_from: float = 1.0
    rate_to: float = 1.0
    """Factor on learning rates at the start and the end; between them it follows a cosine."""
    decay: float = 0.997
    """Of the running average."""


class Trainer:
    """Runs phases one after another on one model."""

    def __init__(self, vae: AutoencoderKLWan, model: Model, *, seed: int, compiled: bool) -> None:
        torch.manual_seed(seed)
        self.vae, self.model, self.compiled = vae, model, compiled
        prefer_channels_last(vae.decoder)
        self.rng = random.Random(seed)
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.average = Average(self.parameters, 0.997)
        self.optimisers = _optimisers(model)
        self.steps = 0

    def run(self, phase: Phase, save: Callable[[], None] | None = None) -> None:
        """Train for a phase; `save` is called about once a minute."""
        pool = ScenePool(self.vae, near=phase.near, wide=phase.wide, side=phase.side, rng=self.rng)
        denoise = FastDenoiser(self.model.denoiser, pool.grid, compiled=self.compiled)
        self.average.decay = phase.decay
        log.info("phase begins: %s", phase)

        def step(factor: float) -> dict[str, Tensor]:
            batch = pool.batch(phase.batch, conditional=phase.conditional, holes=phase.holes)
            return self._step(denoise, pool, batch, phase, factor)

        step(0.0)
        start, next_report = time.monotonic(), 60.0
        losses = _Losses()
        while (elapsed := time.monotonic() - start) < phase.seconds:
            progress = elapsed / phase.seconds
            fall = 1 - (rate(progress, 10**6, warmup=1, hold=0.0) - 0.02) / 0.98
            factor = phase.rate_from + (phase.rate_to - phase.rate_from) * fall
            losses.add(step(factor))
            if elapsed > next_report:
                next_report += 60.0
                log.info("step %d, %.0f s, rate %.3f: %s", self.steps, elapsed, factor, losses)
                self.average.swap()
                log.info("%s", probe_motion(self.model, pool))
                self.average.swap()
                if save is not None:
                    save()
        if save is not None:
            save()

    def _step(
        self, denoise: FastDenoiser, pool: ScenePool, batch: Batch, phase: Phase, factor: float
    ) -> dict[str, Tensor]:
        size = len(batch.captions)
        sigma = sample_sigmas(size, phase.shift, phase.late)
        level = sigma.view(-1, 1, 1)
        wrong_given = pool.encode.given_part(mistakes(size, pool.grid), batch.keep)
        noise = torch.randn_like(batch.latents) + to_tokens(wrong_given)
        lengths = (WORDS + 1) * torch.pow(512 / (WORDS + 1), torch.rand(size) ** 3)
        words, padding = self.model.words(batch.captions, lengths)
        noisy = (1 - level) * batch.latents + level * noise
        velocity = denoise(noisy, sigma, words, padding, batch.control)
        wrong = velocity - (noise - batch.latents)
        errors = wrong.square()
        loss = (errors * (1 + (phase.known_weight - 1) * batch.known)).mean()
        by_cell = pool.encode.given_error(to_latents(wrong, pool.grid), batch.keep)
        loss = loss + phase.pixel_weight * by_cell.mean()
        decoded = torch.zeros(())
        if phase.decoded_weight:
            clean = to_latents(noisy - level * velocity, pool.grid)
            decoded = decoded_error(self.vae, clean, sigma, batch, by_cell.detach(), self.rng)
        (loss + phase.decoded_weight * decoded).backward()
        known = (errors * batch.known).sum((1, 2)) / batch.known.sum((1, 2)).clamp(min=1) / errors.shape[2]
        errors = errors.mean((1, 2))
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        warmup = min(1.0, (self.steps + 1) / 60)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * factor * warmup
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.average.update()
        self.steps += 1
        errors, known = errors.detach(), known.detach()
        free = batch.unconditional
        return {
            "all": errors,
            "text": errors[free],
            "given": errors[~free],
            "given pixels": by_cell.detach().mean().unsqueeze(0),
            "decoded": decoded.detach().unsqueeze(0),
            "known": known[~free],
            "known, noise < .5": known[~free & (sigma < 0.5)],
            "text, noise > .85": errors[free & (sigma > 0.85)],
            "text, noise < .5": errors[free & (sigma < 0.5)],
        }


def sample_sigmas(count: int, shift: float, late: float = 0.0) -> Tensor:
    """Noise levels: logit-normal, a fifth uniform, moved towards noise; a few are 1, as sampling begins.

    A part of `late` is even between .05 and .6 instead.
    """
    levels = torch.sigmoid(torch.randn(count))
    levels = torch.where(torch.rand(count) < 0.2, torch.rand(count), levels)
    levels = shift * levels / (1 + (shift - 1) * levels)
    levels = torch.where(torch.rand(count) < 0.03, 1.0, levels)
    return torch.where(torch.rand(count) < late, 0.05 + 0.55 * torch.rand(count), levels)


def mistakes(size: int, grid: Grid) -> Tensor:
    """Extra noise for what is given of clips, even over a clip in half of it: [B, content channels, *grid].

    While sampling, small errors settle in what is given, also in latents that are given in part; a model that
    has only seen clean ones takes them for content. With these it learns to trust what is given more than
    what it made itself.
    """
    strength = torch.rand(size, 1, 1, 1, 1) * (torch.rand(size, 1, 1, 1, 1) < 0.8)
    even = torch.randn(size, CONTENT_CHANNELS, 1, 1, 1)
    rough = torch.randn(size, CONTENT_CHANNELS, *grid)
    return strength * (0.7 * even + 0.7 * rough)


class _Losses:
    """Running means of losses, by kind."""

    def __init__(self) -> None:
        self.means: dict[str, float] = {}

    def add(self, errors: dict[str, Tensor]) -> None:
        for name, values in errors.items():
            if len(values):
                self.means[name] = 0.98 * self.means.get(name, float(values.mean())) + 0.02 * float(
                    values.mean()
                )

    def __str__(self) -> str:
        return "; ".join(f"{name} {mean:.4f}" for name, mean in self.means.items())


def _optimisers(model: Model) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices of blocks; the text encoder and all that is not a matrix are trained gently."""
    matrices: list[Tensor] = []
    gentle: list[Tensor] = []
    embeddings: list[Tensor] = []
    rest: list[Tensor] = []
    outside = ("proj_out", "patch_embedding", "time_embedder", "scale_shift")
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("text_encoder"):
            (embeddings if "shared" in name or "embed_tokens" in name else gentle).append(parameter)
        elif parameter.ndim == 2 and not (
            any(word in name for word in outside) and "vace_blocks" not in name
        ):
            matrices.append(parameter)
        else:
            rest.append(parameter)
    groups = [
        {"params": rest, "lr": _ADAM_RATE},
        {"params": gentle, "lr": _ADAM_RATE / 2},
        {"params": embeddings, "lr": _ADAM_RATE * 3},
    ]
    optimisers: tuple[torch.optim.Optimizer, ...] = (
        Muon(matrices, lr=_MUON_RATE),
        torch.optim.AdamW(groups, lr=_ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    )
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["initial_lr"] = group["lr"]
    return optimisers
