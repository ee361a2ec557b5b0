"""Networks of the ESRGAN family with random weights, their files in every layout, and a picture of shapes."""

from __future__ import annotations

import re
from typing import TypeVar

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from wangp_cli.media.clip import Frames
from wangp_cli.networks.esrgan.compact import CompactSizes, SRVGGNetCompact
from wangp_cli.networks.esrgan.rrdbnet import RRDBNet, RRDBSizes

N = TypeVar("N", bound=nn.Module)
TINY = RRDBSizes(features=8, growth=4, blocks=2)
TINY_COMPACT = CompactSizes(features=8, layers=3, scale=2)


def random_rrdb(sizes: RRDBSizes = TINY, seed: int = 0) -> RRDBNet:
    return _randomized(RRDBNet(sizes), seed)


def random_compact(sizes: CompactSizes = TINY_COMPACT, seed: int = 0) -> SRVGGNetCompact:
    return _randomized(SRVGGNetCompact(sizes), seed)


def _randomized(network: N, seed: int) -> N:
    generator = torch.Generator().manual_seed(seed)
    for _, weight in sorted(network.named_parameters()):
        size = 1 / weight[0].numel() ** 0.5 if weight.dim() > 1 else 0.2
        weight.data = torch.randn(weight.shape, generator=generator) * size
    network.eval().requires_grad_(False)
    return network


def named_layout(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state dict of an RRDBNet in the layout of ESRGAN with names."""
    words = {"conv_body": "trunk_conv", "conv_up": "upconv", "conv_hr": "HRconv"}
    renamed = {}
    for name, value in state.items():
        key = re.sub(r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", name)
        for new, old in words.items():
            key = key.replace(new, old)
        renamed[key] = value
    return renamed


def numbered_layout(state: dict[str, torch.Tensor], sizes: RRDBSizes) -> dict[str, torch.Tensor]:
    """The state dict of an RRDBNet in the layout of ESRGAN with numbers."""
    numbers = {"conv_first": 0, "conv_hr": 2 + 3 * sizes.doublings, "conv_last": 4 + 3 * sizes.doublings}
    numbers |= {f"conv_up{number}": 3 * number for number in range(1, sizes.doublings + 1)}
    renamed = {}
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if part == "body":
            key = re.sub(r"(\d+)\.rdb(\d)\.conv(\d)", r"model.1.sub.\1.RDB\2.conv\3.0", rest)
        else:
            key = (
                f"model.1.sub.{sizes.blocks}.{rest}"
                if part == "conv_body"
                else f"model.{numbers[part]}.{rest}"
            )
        renamed[key] = value
    return renamed


def shapes(width: int = 192, height: int = 128, seed: int = 3) -> Frames:
    """A picture of coloured shapes with dark edges: uint8 `[1, height, width, 3]`."""
    rng = np.random.default_rng(seed)
    fine = 4
    page = Image.new("RGB", (width * fine, height * fine), (205, 222, 230))
    pen = ImageDraw.Draw(page)
    for _ in range(14):
        x, y = rng.uniform(0, [width * fine, height * fine])
        size = float(rng.uniform(8, 32) * fine)
        fill = tuple(int(value) for value in rng.integers(30, 240, 3))
        box = (x - size, y - size, x + size, y + size)
        draw = (pen.ellipse, pen.rectangle)[int(rng.integers(0, 2))]
        draw(box, fill=fill, outline=(25, 25, 30), width=2 * fine)
    return np.asarray(page.resize((width, height), Image.Resampling.BOX))[None]
