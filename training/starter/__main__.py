"""Train, export and measure the starter: `python -m training.starter --out FOLDER [--minutes N]`."""

from __future__ import annotations

import argparse
import logging
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan

from training.starter.card import write_card
from training.starter.encoder import build_autoencoder
from training.starter.evaluate import Settings, contact_sheet, evaluate, evaluate_text, load
from training.starter.export import export
from training.starter.model import Model
from training.starter.train_decoder import DecoderPlan, train_decoder
from training.starter.train_denoiser import Phase, Trainer
from training.starter.world import draw, sample_scene

log = logging.getLogger(__name__)

_DECODER_SHARE, _SMALL_SHARE, _CONSTANT_SHARE = 0.22, 0.14, 0.24
"""Shares of the time: decoder, denoiser at the small size, at the native size; then the rate decays."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Time, seed and compilation of a whole training run."""

    seconds: float
    seed: int
    compiled: bool

    @property
    def scenes(self) -> int:
        """Number of rendered scenes; fewer in short runs."""
        return max(16, min(5000, int(self.seconds * 2)))

    def phases(self) -> tuple[Phase, ...]:
        """The denoiser's curriculum: 64 pixels, then the native size, then a decaying learning rate."""
        near, wide = self.scenes, max(16, self.scenes * 3 // 5)
        falling = self.seconds * (1 - _DECODER_SHARE - _SMALL_SHARE - _CONSTANT_SHARE)
        native = Phase(
            seconds=self.seconds * _CONSTANT_SHARE, near=near, wide=wide, rate_to=0.75, decay=0.998
        )
        last = replace(native, seconds=falling, shift=4.0, rate_from=0.75, rate_to=0.012)
        return (
            Phase(seconds=self.seconds * _SMALL_SHARE, side=64, batch=48, near=near, wide=wide),
            native,
            replace(
                last, conditional=0.85, late=0.4, known_weight=4.0, pixel_weight=20.0, decoded_weight=20.0
            ),
        )


def train(plan: Plan) -> tuple[AutoencoderKLWan, Model]:
    """Train autoencoder and denoiser from scratch."""
    rng = random.Random(plan.seed)
    torch.manual_seed(plan.seed)
    clips = draw([sample_scene(rng, spread=0.6) for _ in range(max(16, min(100, plan.scenes)))])
    vae = build_autoencoder(clips).requires_grad_(False)
    train_decoder(
        vae,
        DecoderPlan(seconds=plan.seconds * _DECODER_SHARE, clips=min(1000, plan.scenes), seed=plan.seed + 1),
    )
    model = Model(seed=plan.seed)
    trainer = Trainer(vae, model, seed=plan.seed, compiled=plan.compiled)
    for phase in plan.phases():
        trainer.run(phase)
    trainer.average.swap()
    return vae, model


def main() -> None:
    """Train, export, measure, and write the card and a contact sheet."""
    parser = argparse.ArgumentParser(prog="python -m training.starter", description="Train the starter.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the checkpoint.")
    parser.add_argument("--minutes", type=float, default=110.0, help="Training time.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=100, help="Withheld prompts to measure.")
    parser.add_argument("--clips", type=int, default=16, help="Clips to measure for each other use.")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    start = time.monotonic()
    vae, model = train(Plan(seconds=options.minutes * 60, seed=options.seed, compiled=options.compile))
    settings = Settings()
    size = export(vae, model, options.out, flow_shift=settings.flow_shift)
    log.info("%d bytes in %s", size, options.out)
    minutes = (time.monotonic() - start) / 60
    pipeline = load(options.out, settings)
    figures = evaluate(pipeline, settings, options.prompts, options.clips)
    write_card(options.out, settings, figures, f"{minutes:.1f} minutes, {options.threads} CPU threads")
    _, clips = evaluate_text(pipeline, settings, min(16, options.prompts))
    contact_sheet(clips, options.out / "sheet.png")


if __name__ == "__main__":
    main()
