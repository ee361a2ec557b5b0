"""Peak memory of each memory profile on a CPU, compared with diffusers.

    python -m benchmarks.profiles [--width N] [--layers N] [--text-width N]

Each call runs in its own process, whose peak resident size is reported. The part above that of the libraries
alone (`imports`) is taken by weights and computation. Random weights; works offline.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.rows import Rows

VARIANTS = ("imports", "diffusers", "1", "3", "4", "5", "1 int8", "3 int8", "4 int8")


def save_checkpoint(folder: Path, width: int, layers: int, text_width: int) -> float:
    """Write a text-to-video checkpoint; gives the megabytes of its weights."""
    import torch
    from transformers import UMT5Config, UMT5EncoderModel

    from tests.support import tiny

    torch.manual_seed(0)
    config = UMT5Config(
        vocab_size=256,
        d_model=text_width,
        d_kv=64,
        d_ff=4 * text_width,
        num_layers=layers,
        num_heads=max(1, text_width // 64),
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    network = tiny.transformer(
        num_attention_heads=width // 64,
        attention_head_dim=64,
        ffn_dim=4 * width,
        num_layers=layers,
        text_dim=text_width,
    )
    pipeline = tiny.pipeline("t2v")
    pipeline.register_modules(transformer=network, text_encoder=UMT5EncoderModel(config).eval())
    pipeline.save_pretrained(folder)
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors")) / 1e6


def run(variant: str, folder: Path) -> None:
    """Make one call in this process."""
    import torch

    from tests.support import tiny
    from wangp_cli.pipelines.base import Inputs, Placement
    from wangp_cli.pipelines.wan import load as wan_load

    torch.set_num_threads(1)
    shot: Any = tiny.shot(size="64x64", frames=5, steps=2)
    if variant == "imports":
        return
    if variant == "diffusers":
        import diffusers

        pipeline: Any = diffusers.WanPipeline.from_pretrained(folder)
        pipeline(
            prompt=shot.prompt,
            negative_prompt=shot.negative_prompt,
            height=64,
            width=64,
            num_frames=shot.frames,
            num_inference_steps=shot.steps,
            guidance_scale=shot.guidance_scale,
            max_sequence_length=24,
        )
        return
    profile, _, bits = variant.partition(" ")
    placement: Any = Placement(
        profile=profile,  # type: ignore[arg-type]
        work_dir=folder.parent / "work",
        transformer_quantization=bits or "none",  # type: ignore[arg-type]
        text_encoder_quantization=bits or "none",  # type: ignore[arg-type]
    )
    ours = wan_load.load(tiny.spec("t2v"), folder, placement, [], tiny.Parts(), tiny.quiet)
    latents = ours.denoise(shot, ours.encode(shot, Inputs(), tiny.quiet), tiny.quiet)
    list(ours.decode(latents, tiny.quiet).frames)


def peak() -> float:
    """Peak resident megabytes of this process, without that of the parent before `exec`."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1e3


def main() -> int:
    """Measure every variant in its own process, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--text-width", type=int, default=1024)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        began = time.monotonic()
        run(options.one[0], Path(options.one[1]))
        print(f"{peak():.0f} {time.monotonic() - began:.1f}")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "checkpoint"
        weights = save_checkpoint(folder, options.width, options.layers, options.text_width)
        print(f"weights of {weights:.0f} MB in float32")
        rows = Rows("", "peak MB", "above the libraries", "seconds, imports included")
        base = 0.0
        for variant in VARIANTS:
            command = [sys.executable, "-m", "benchmarks.profiles", "--one", variant, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            megabytes, seconds = map(float, done.stdout.split()[-2:])
            base = base or megabytes
            rows.add(variant, f"{megabytes:.0f}", f"{megabytes - base:.0f}", f"{seconds:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
