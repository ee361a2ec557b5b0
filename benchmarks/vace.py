"""A VACE call of medium size on one CPU thread, compared with diffusers in the same process.

    python -m benchmarks.vace [--frames N] [--side PIXELS] [--steps N] [--repeat N]

CPU seconds of the first call after loading, or with `--repeat` of the fastest of so many later calls, which
have the latents of absent control cached. Exits with 1 if the default is less than 1.8 times as fast as
diffusers or below 60 dB of PSNR, or if with a 16 bit VAE it is less than 2.2 times as fast, which is left out
on a CPU without instructions for it. Random weights; takes minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan

from benchmarks.overhead import Report, ours, parse_options, plain, psnr, save_checkpoint
from wangp_cli.pipelines.base import Placement
from wangp_cli.pipelines.memory.cpu_dtypes import is_slow

MIN_SPEEDUP, MIN_SPEEDUP_16_BITS, MIN_DB = 1.8, 2.2, 60.0


def medium_vae() -> AutoencoderKLWan:
    """A VAE of 14 million parameters with the layers of the published one."""
    torch.manual_seed(0)
    return AutoencoderKLWan(
        base_dim=32,
        z_dim=16,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=2,
        temperal_downsample=[False, True, True],
    ).eval()


def main() -> int:
    """Measure and print; 1 if a limit is missed."""
    options, shot = parse_options(__doc__, frames=33, side=192, steps=4, repeat=0)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_checkpoint(Path(folder), medium_vae())
        stock = report.add(plain(checkpoint, shot, options.repeat))
        fast = report.add(ours("wangp", checkpoint, shot, Placement(), options.repeat))
        met = stock.total / fast.total >= MIN_SPEEDUP and psnr(fast, stock) >= MIN_DB
        if is_slow("bfloat16"):
            print("wangp, VAE in 16 bits: left out, this CPU has no instructions for bfloat16")
            return int(not met)
        sixteen = Placement(vae_dtype="bfloat16")
        faster = report.add(ours("wangp, VAE in 16 bits", checkpoint, shot, sixteen, options.repeat))
    return int(not (met and stock.total / faster.total >= MIN_SPEEDUP_16_BITS))


if __name__ == "__main__":
    sys.exit(main())
