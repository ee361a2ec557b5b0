"""CPU seconds per frame of finishing: larger frames by a filter or a network, colours, film grain.

    python -m benchmarks.upscale [--size WIDTHxHEIGHT]... [--factor N] [--frames N] [--networks]

`pillow, 8 bit` is the filter of the older tools; ours keeps floats. The networks have random weights, which
cost what real ones cost. Works offline, one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from PIL import Image

from benchmarks.rows import Rows
from tests.support.esrgan import random_compact, random_rrdb
from wangp_cli.finishing.grain import add_grain
from wangp_cli.finishing.stream import VideoStream
from wangp_cli.finishing.upsample import upsample
from wangp_cli.finishing.upscaler import Upscaler
from wangp_cli.media.clip import Frames
from wangp_cli.media.match import adjust
from wangp_cli.networks.esrgan.compact import CompactSizes
from wangp_cli.networks.esrgan.rrdbnet import RRDBSizes
from wangp_cli.pipelines.auxiliary.esrgan import EsrganUpscaler
from wangp_cli.tasks.fields import size_of

SIZES = ["480x272", "832x480"]
Method = Callable[[Frames, int, int], object]


def pillow(frame: Frames, width: int, height: int) -> object:
    """The filter on 8 bits."""
    image = Image.fromarray(frame[0])
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def enlarge(upscaler: Upscaler | None) -> Method:
    """The filter on floats, after a network if there is one."""

    def method(frame: Frames, width: int, height: int) -> object:
        video = VideoStream(frames=[frame], count=1, rate=Fraction(1))
        return list(upsample(video, width, height, upscaler).frames)

    return method


def main() -> None:
    """Print a row for each method and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", action="append")
    parser.add_argument("--factor", type=int, default=2)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--networks", action="store_true", help="also networks, which take minutes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    methods: dict[str, Method] = {
        "pillow, 8 bit": pillow,
        "lanczos": enlarge(None),
        "saturation, brightness": lambda frame, _width, _height: adjust(
            frame, saturation=0.8, brightness=0.1
        ),
        "film grain": lambda frame, _width, _height: add_grain(frame, 0, seed=1, intensity=0.05),
    }
    if given.networks:
        methods["SRVGGNetCompact x4"] = enlarge(EsrganUpscaler(random_compact(CompactSizes())))
        methods["RRDBNet x4"] = enlarge(EsrganUpscaler(random_rrdb(RRDBSizes())))
    rows = Rows("method", "size", "s/frame")
    for size in given.size or SIZES:
        width, height = size_of(size)
        frame = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        for name, method in methods.items():
            frames = 1 if name.startswith(("SRVGG", "RRDB")) else given.frames
            began = time.process_time()
            for _ in range(frames):
                method(frame, width * given.factor, height * given.factor)
            rows.add(name, size, f"{(time.process_time() - began) / frames:.3f}")


if __name__ == "__main__":
    main()
