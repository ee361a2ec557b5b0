"""CPU time of a call outside the networks: our pipeline, exact and default, compared with diffusers.

    python -m benchmarks.overhead [--repeat N] [--frames N] [--side PIXELS] [--steps N]

Exits with 1 if more than 3 % of a call of ours is spent outside the networks. Random weights; works offline.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image

from benchmarks.rows import Rows
from tests.support import tiny
from wangp_cli.pipelines.base import Inputs, Placement
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot

LIMIT = 0.03
TEXT_LENGTH = tiny.text_length("vace")


class Stopwatch:
    """Sums the CPU seconds spent in the forward calls of networks."""

    def __init__(self, *networks: Any) -> None:
        self.seconds = 0.0
        self._began = 0.0
        for network in networks:
            network.register_forward_pre_hook(self._start)
            network.register_forward_hook(self._stop)

    def _start(self, *_: Any) -> None:
        self._began = time.process_time()

    def _stop(self, *_: Any) -> None:
        self.seconds += time.process_time() - self._began


@dataclass(frozen=True, kw_only=True)
class Result:
    """CPU seconds of the fastest of several calls."""

    name: str
    total: float
    inside: float
    frames: Any

    @property
    def outside(self) -> float:
        """Share of the call spent outside the networks."""
        return 1 - self.inside / self.total


def measure(name: str, call: Callable[[], Any], stopwatch: Stopwatch, repeat: int) -> Result:
    """The fastest of `repeat` calls after a warm-up call; with 0, the first call alone."""
    if repeat:
        call()
    results = []
    for _ in range(max(1, repeat)):
        stopwatch.seconds, began = 0.0, time.process_time()
        frames = call()
        total = time.process_time() - began
        results.append(Result(name=name, total=total, inside=stopwatch.seconds, frames=frames))
    return min(results, key=lambda result: result.total)


def save_checkpoint(folder: Path, vae: Any) -> Path:
    """Write a VACE checkpoint of a few million parameters, with this VAE; gives its folder."""
    network = tiny.transformer(
        "WanVACETransformer3DModel",
        num_attention_heads=6,
        attention_head_dim=64,
        ffn_dim=1024,
        num_layers=6,
        vace_layers=[0, 2, 4],
        vace_in_channels=96,
    )
    pipeline = tiny.pipeline("vace")
    pipeline.register_modules(transformer=network, vae=vae)
    pipeline.save_pretrained(folder)
    return folder


def ours(name: str, folder: Path, shot: Shot, placement: Placement, repeat: int) -> Result:
    """Measure our pipeline; each call encodes, denoises and decodes."""
    pipeline = wan_load.load(tiny.spec("vace"), folder, placement, [], tiny.Parts(), tiny.quiet)

    def call() -> Any:
        conditioning = pipeline.encode(shot, Inputs(control=control(shot)), tiny.quiet)
        latents = pipeline.denoise(shot, conditioning, tiny.quiet)
        return np.concatenate(list(pipeline.decode(latents, tiny.quiet).frames))

    vae = pipeline._vae.model
    stopwatch = Stopwatch(
        pipeline._networks[0], pipeline._architecture.parts.text_encoder.model, vae.encoder, vae.decoder
    )
    return measure(name, call, stopwatch, repeat)


def plain(folder: Path, shot: Shot, repeat: int) -> Result:
    """Measure the stock pipeline of diffusers."""
    pipeline: Any = diffusers.WanVACEPipeline.from_pretrained(folder, disable_mmap=True)
    pipeline.set_progress_bar_config(disable=True)
    width, height = size_of(shot.size)

    def call() -> Any:
        return pipeline(
            prompt=shot.prompt,
            negative_prompt=shot.negative_prompt,
            video=[Image.fromarray(frame) for frame in control(shot).frames],
            height=height,
            width=width,
            num_frames=shot.frames,
            num_inference_steps=shot.steps,
            guidance_scale=shot.guidance_scale,
            max_sequence_length=TEXT_LENGTH,
            generator=torch.Generator().manual_seed(shot.seed),
        ).frames[0]

    vae = pipeline.vae
    stopwatch = Stopwatch(pipeline.transformer, pipeline.text_encoder, vae.encoder, vae.decoder)
    return measure("diffusers", call, stopwatch, repeat)


def control(shot: Shot) -> Any:
    """A control video of noise, with the length and size of the shot."""
    return tiny.clip(int(shot.frames), size=size_of(shot.size)[0])


def psnr(result: Result, stock: Result) -> float:
    """PSNR in dB between two results; infinite if they are equal."""
    error = float(np.mean((result.frames - stock.frames).astype(np.float64) ** 2))
    return float(10 * np.log10(1 / error)) if error else float("inf")


class Report:
    """Prints a row for each result as soon as it is there, compared with the first.

    Attributes:
        results: those so far.
    """

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._rows = Rows("", "CPU s", "in networks", "outside", "share outside", "against diffusers", "PSNR")

    def add(self, result: Result) -> Result:
        """Print a result."""
        self.results.append(result)
        stock = self.results[0]
        self._rows.add(
            result.name,
            f"{result.total:.2f}",
            f"{result.inside:.2f}",
            f"{result.total - result.inside:.3f}",
            f"{result.outside:.2%}",
            f"{stock.total / result.total:.2f} x",
            f"{psnr(result, stock):.1f} dB",
        )
        return result


def parse_options(about: str | None, **defaults: int) -> tuple[argparse.Namespace, Shot]:
    """Parse options and make the shot they describe; also sets one thread and hides progress bars.

    Args:
        about: help of the program.
        defaults: of the options `repeat`, `frames`, `side` and `steps`.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
    return options, tiny.shot(
        size=f"{options.side}x{options.side}", frames=options.frames, steps=options.steps
    )


def main() -> int:
    """Measure and print; 1 if the limit is exceeded."""
    options, shot = parse_options(__doc__, repeat=2, frames=17, side=96, steps=6)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_checkpoint(Path(folder), tiny.vae(base=16))
        report.add(plain(checkpoint, shot, options.repeat))
        report.add(ours("wangp, exact", checkpoint, shot, Placement(exact=True), options.repeat))
        report.add(ours("wangp", checkpoint, shot, Placement(), options.repeat))
    return int(any(result.outside > LIMIT for result in report.results[1:]))


if __name__ == "__main__":
    sys.exit(main())
