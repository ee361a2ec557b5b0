"""CPU time of the networks of RIFE for one frame in between, and the memory that they need.

    python -m benchmarks.rife [--version VERSION]... [--size WIDTHxHEIGHT]... [--dtype TYPE]

Random weights, which cost what real ones cost; works offline. One thread.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch

from benchmarks.rows import Rows
from tests.support.rife import randomize
from wangp_cli.pipelines.auxiliary.rife import NETWORKS, RifeInterpolator, RifeV3, RifeV4
from wangp_cli.pipelines.auxiliary.rife_versions import V3
from wangp_cli.tasks.fields import size_of

SIZES = ["480x272", "832x480"]
RUNS = 3


def seconds_per_frame(rife: RifeInterpolator, width: int, height: int) -> float:
    """CPU seconds of the middle between two random frames."""
    random = np.random.default_rng(0)
    first, second = random.random((2, 1, height, width, 3), np.float32)
    list(rife.between(first, second, [0.5]))
    began = time.process_time()
    for _ in range(RUNS):
        list(rife.between(first, second, [0.5]))
    return (time.process_time() - began) / RUNS


def main() -> None:
    """Print a row for each network and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--version", action="append", choices=list(NETWORKS))
    parser.add_argument("--size", action="append")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows("network", "size", "CPU s a frame", "peak memory GB")
    for version in given.version or NETWORKS:
        network = randomize(NETWORKS[version]()).to(getattr(torch, given.dtype))
        rife = (RifeV3 if version == V3 else RifeV4)(network, version)
        for size in given.size or SIZES:
            seconds = seconds_per_frame(rife, *size_of(size))
            # Kilobytes, on Linux.
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            rows.add(f"RIFE {version}", size, f"{seconds:.2f}", f"{memory:.2f}")


if __name__ == "__main__":
    main()
