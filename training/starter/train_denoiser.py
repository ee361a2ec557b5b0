# mypy: allow-untyped-decorators, allow-subclassing-any
"""Training of the starter's denoiser and text encoder by rectified flow."""

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
from training.starter.networks import WORDS
from training.starter.optim import Average, Muon, rate
from training.starter.probe import probe_motion
from training.starter.train_decoder import prefer_channels_last
from training.starter.world import SIDE

log = logging.getLogger(__name__)

_MUON_RATE, _ADAM_RATE = 0.02, 2e-3


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Settings of a phase of training at one size."""

    seconds: float
    side: int = SIDE
    batch: int = 32
    near: int = 5000
    wide: int = 3000
    conditional: float = 0.5
    holes: float = HOLES
    """Share of conditioned clips that are given except for a box."""
    shift: float = 5.0
    """Shift of noise levels towards pure noise."""
    late: float = 0.0
    """Share of noise levels in the range of the last sampling steps, where given detail is copied."""
    known_weight: float = 3.0
    """Weight of the error of tokens whose pixels are all given; it is 1 where none is given."""
    pixel_weight: float = 0.0
    """Weight of the error at given pixels, also of blocks that are given in part."""
    decoded_weight: float = 0.0
    """Weight of the error at given pixels of decoded crops."""
    rate_from: float = 1.0
    rate_to: float = 1.0
    """Factors of learning rates at the start and at the end, with a cosine between them."""
    decay: float = 0.997
    """Of the exponential moving average."""


class Trainer:
    """Trains one model in several phases, with one set of optimisers."""

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
        """Train for one phase; `save` is called about once a minute and at the end."""
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
            decayed = 1 - (rate(progress, 10**6, warmup=1, hold=0.0) - 0.02) / 0.98
            factor = phase.rate_from + (phase.rate_to - phase.rate_from) * decayed
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
        given_noise = pool.encode.given_part(sampling_errors(size, pool.grid), batch.keep)
        noise = torch.randn_like(batch.latents) + to_tokens(given_noise)
        lengths = (WORDS + 1) * torch.pow(512 / (WORDS + 1), torch.rand(size) ** 3)
        words, padding = self.model.words(batch.captions, lengths)
        noisy = (1 - level) * batch.latents + level * noise
        velocity = denoise(noisy, sigma, words, padding, batch.control)
        difference = velocity - (noise - batch.latents)
        errors = difference.square()
        loss = (errors * (1 + (phase.known_weight - 1) * batch.known)).mean()
        by_cell = pool.encode.given_error(to_latents(difference, pool.grid), batch.keep)
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
        unconditional = batch.unconditional
        return {
            "all": errors,
            "text": errors[unconditional],
            "given": errors[~unconditional],
            "given pixels": by_cell.detach().mean().unsqueeze(0),
            "decoded": decoded.detach().unsqueeze(0),
            "known": known[~unconditional],
            "known, noise < .5": known[~unconditional & (sigma < 0.5)],
            "text, noise > .85": errors[unconditional & (sigma > 0.85)],
            "text, noise < .5": errors[unconditional & (sigma < 0.5)],
        }


def sample_sigmas(count: int, shift: float, late: float = 0.0) -> Tensor:
    """Noise levels: logit-normal, a fifth of them uniform, shifted towards noise; a few are 1.

    A share of `late` is uniform in [0.05, 0.6] instead.
    """
    levels = torch.sigmoid(torch.randn(count))
    levels = torch.where(torch.rand(count) < 0.2, torch.rand(count), levels)
    levels = shift * levels / (1 + (shift - 1) * levels)
    levels = torch.where(torch.rand(count) < 0.03, 1.0, levels)
    return torch.where(torch.rand(count) < late, 0.05 + 0.55 * torch.rand(count), levels)


def sampling_errors(size: int, grid: Grid) -> Tensor:
    """Extra noise for given latents, part of it constant over a clip: [B, content channels, *grid].

    While sampling, small errors accumulate in given latents, also in those given in part; a model trained on
    clean ones takes them for content. With this noise it learns to trust given pixels more than its output.
    """
    strength = torch.rand(size, 1, 1, 1, 1) * (torch.rand(size, 1, 1, 1, 1) < 0.8)
    even = torch.randn(size, CONTENT_CHANNELS, 1, 1, 1)
    rough = torch.randn(size, CONTENT_CHANNELS, *grid)
    return strength * (0.7 * even + 0.7 * rough)


class _Losses:
    """Running means of losses by name."""

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
    """Muon for the matrices of blocks; AdamW for all others, with a lower rate for the text encoder."""
    matrices: list[Tensor] = []
    encoder: list[Tensor] = []
    embeddings: list[Tensor] = []
    rest: list[Tensor] = []
    excluded = ("proj_out", "patch_embedding", "time_embedder", "scale_shift")
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("text_encoder"):
            (embeddings if "shared" in name or "embed_tokens" in name else encoder).append(parameter)
        elif parameter.ndim == 2 and not (
            any(word in name for word in excluded) and "vace_blocks" not in name
        ):
            matrices.append(parameter)
        else:
            rest.append(parameter)
    groups = [
        {"params": rest, "lr": _ADAM_RATE},
        {"params": encoder, "lr": _ADAM_RATE / 2},
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
