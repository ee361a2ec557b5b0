"""How much CPU time a call spends outside the networks: ours, exact and default, beside plain diffusers.

    python -m benchmarks.overhead [--repeat N] [--frames N] [--side PIXELS] [--steps N]

Exits with 1 where more than 3 % of a call of ours is spent outside the networks. Random weights, no network.
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
from rich.console import Console
from rich.table import Table

from tests.support import tiny
from wangp_cli.pipelines.base import Inputs, Placement
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot

LIMIT = 0.03
TEXT_LENGTH = tiny.text_length("vace")


class Stopwatch:
    """CPU seconds spent inside networks, from the outermost call of each."""

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
    """CPU seconds of the cheapest of some calls."""

    name: str
    total: float
    inside: float
    frames: Any

    @property
    def outside(self) -> float:
        """Share of the call that is not the networks'."""
        return 1 - self.inside / self.total


def measure(name: str, call: Callable[[], Any], stopwatch: Stopwatch, repeat: int) -> Result:
    """The best of `repeat` calls after one that warms up; 0 is the first call alone."""
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
    """A VACE checkpoint of a few million weights, with this VAE."""
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
    """Our adapter, with nothing kept from the call before but what it keeps itself."""
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
    """The stock pipeline."""
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
    """A control video of noise, as long and as large as the shot."""
    return tiny.clip(int(shot.frames), size=size_of(shot.size)[0])


def psnr(result: Result, stock: Result) -> float:
    """Decibels between two results; infinite where they are equal."""
    error = float(np.mean((result.frames - stock.frames).astype(np.float64) ** 2))
    return float(10 * np.log10(1 / error)) if error else float("inf")


def report(results: list[Result]) -> None:
    """Print one line for each result, compared with the first."""
    stock = results[0]
    table = Table("", "CPU s", "in networks", "outside", "share outside", "against diffusers", "PSNR")
    for result in results:
        table.add_row(
            result.name,
            f"{result.total:.2f}",
            f"{result.inside:.2f}",
            f"{result.total - result.inside:.3f}",
            f"{result.outside:.2%}",
            f"{stock.total / result.total:.2f} x",
            f"{psnr(result, stock):.1f} dB",
        )
    Console().print(table)


def asked(about: str | None, **defaults: int) -> tuple[argparse.Namespace, Shot]:
    """The options and the shot they describe; on one thread, without bars of others.

    Args:
        about: the program's help.
        defaults: of `repeat`, `frames`, `side` and `steps`.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    said = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
    return said, tiny.shot(size=f"{said.side}x{said.side}", frames=said.frames, steps=said.steps)


def main() -> int:
    """Measure, print, and say whether the limit holds."""
    said, shot = asked(__doc__, repeat=2, frames=17, side=96, steps=6)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_checkpoint(Path(folder), tiny.vae(base=16))
        results = [
            plain(checkpoint, shot, said.repeat),
            ours("wangp, exact", checkpoint, shot, Placement(exact=True), said.repeat),
            ours("wangp", checkpoint, shot, Placement(), said.repeat),
        ]
    report(results)
    return int(any(result.outside > LIMIT for result in results[1:]))


if __name__ == "__main__":
    sys.exit(main())
