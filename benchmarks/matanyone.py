"""CPU time of MatAnyone for a key frame and for each frame after it, and the memory that it needs.

    python -m benchmarks.matanyone [--size WIDTHxHEIGHT]... [--frames N] [--dtype TYPE]

Random weights, which cost what real ones cost; works offline. One thread.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.rows import Rows
from tests.support.matanyone import random_matanyone
from wangp_cli.pipelines.auxiliary.matanyone import MatAnyoneMatter
from wangp_cli.tasks.fields import size_of

SIZES = ["480x272", "832x480"]


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the key frame and of one frame after it, and peak memory of the process until now."""

    key_frame: float
    frame: float
    memory_gigabytes: float


def measure(matter: MatAnyoneMatter, width: int, height: int, frames: int) -> Cost:
    """The cost of matting random frames from a box in the first."""
    mask = np.zeros((height, width), np.float32)
    mask[height // 4 : -height // 4, width // 4 : -width // 4] = 1
    random = np.random.default_rng(0)
    clip = (random.random((1, height, width, 3), np.float32) for _ in range(frames + 1))
    mattes = matter.mattes(clip, {0: mask})
    began = time.process_time()
    next(mattes)
    key_frame = time.process_time() - began
    began = time.process_time()
    for _ in mattes:
        pass
    # Kilobytes, on Linux.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Cost(key_frame, (time.process_time() - began) / frames, memory)


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", action="append")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    given = parser.parse_args()
    torch.set_num_threads(1)
    network = random_matanyone().to(memory_format=torch.channels_last)
    matter = MatAnyoneMatter(network, given.dtype)
    rows = Rows("size", "key frame", "frame", "memory")
    for size in given.size or SIZES:
        cost = measure(matter, *size_of(size), given.frames)
        rows.add(size, f"{cost.key_frame:.1f} s", f"{cost.frame:.2f} s", f"{cost.memory_gigabytes:.2f} GB")


if __name__ == "__main__":
    main()
