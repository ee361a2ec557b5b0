"""RRDBNet, the network of ESRGAN and of Real-ESRGAN.

B batch, C channels, H height, W width
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOPE = 0.2
_RESIDUAL = 0.2
"""Weight of the output of a block beside its input."""
_CONVOLUTIONS = 5
_DENSE_BLOCKS = 3


@dataclass(frozen=True, kw_only=True)
class RRDBSizes:
    """Sizes of an RRDBNet.

    Args:
        features: channels between blocks.
        growth: channels that each convolution of a dense block adds.
        blocks: residual blocks.
        doublings: how often width and height are doubled.
        unshuffle: side of the squares of pixels that become channels first, which makes the input smaller.
    """

    features: int = 64
    growth: int = 32
    blocks: int = 23
    doublings: int = 2
    unshuffle: int = 1

    @property
    def scale(self) -> int:
        """How many times as wide and high the result is."""
        return int(2**self.doublings // self.unshuffle)


class RRDBNet(nn.Module):
    """Makes pictures 1, 2, 4 or 8 times as wide and high.

    Source: Wang et al. 2018, ESRGAN, arXiv:1809.00219; pixel unshuffle as in Wang et al. 2021,
    Real-ESRGAN, arXiv:2107.10833. Its parts have the names that they have in files of Real-ESRGAN.
    """

    def __init__(self, sizes: RRDBSizes) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.features
        self.conv_first = nn.Conv2d(3 * sizes.unshuffle**2, width, 3, padding=1)
        self.body = nn.Sequential(*(_Block(width, sizes.growth) for _ in range(sizes.blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        for number in range(1, sizes.doublings + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(width, width, 3, padding=1))
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)

    @property
    def scale(self) -> int:
        """How many times as wide and high the result is."""
        return self.sizes.scale

    def forward(self, pictures_B3HW: Tensor) -> Tensor:
        """Larger pictures.

        Args:
            pictures_B3HW: RGB in [0, 1].

        Returns:
            `[B, 3, scale * H, scale * W]`, about in [0, 1].
        """
        height, width = (side * self.scale for side in pictures_B3HW.shape[2:])
        x_BCHW = self.conv_first(_unshuffled(pictures_B3HW, self.sizes.unshuffle))
        x_BCHW = x_BCHW + self.conv_body(self.body(x_BCHW))
        for number in range(1, self.sizes.doublings + 1):
            doubled = functional.interpolate(x_BCHW, scale_factor=2, mode="nearest")
            x_BCHW = _leaky(getattr(self, f"conv_up{number}")(doubled))
        larger: Tensor = self.conv_last(_leaky(self.conv_hr(x_BCHW)))
        return larger[:, :, :height, :width]


class _Block(nn.Module):
    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for number in range(1, _DENSE_BLOCKS + 1):
            self.add_module(f"rdb{number}", _DenseBlock(features, growth))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        changed = self.rdb3(self.rdb2(self.rdb1(x_BCHW)))
        return changed * _RESIDUAL + x_BCHW


class _DenseBlock(nn.Module):
    """Convolutions of which each sees what all before it made."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for number in range(1, _CONVOLUTIONS + 1):
            out = features if number == _CONVOLUTIONS else growth
            convolution = nn.Conv2d(features + (number - 1) * growth, out, 3, padding=1)
            self.add_module(f"conv{number}", convolution)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        seen = x_BCHW
        for number in range(1, _CONVOLUTIONS):
            seen = torch.cat((seen, _leaky(getattr(self, f"conv{number}")(seen))), dim=1)
        return self.conv5(seen) * _RESIDUAL + x_BCHW


def rrdb_sizes(shapes: Mapping[str, tuple[int, ...]]) -> RRDBSizes:
    """The sizes of the network of which these are the shapes, by names as in files of Real-ESRGAN.

    Raises:
        ValueError: a tensor that tells a size is absent, or has a shape that no such network has.
    """
    for name in ("conv_first.weight", "body.0.rdb1.conv1.weight"):
        if name not in shapes:
            raise ValueError(f"{name} is absent")
    features, channels = shapes["conv_first.weight"][:2]
    unshuffle = {3: 1, 12: 2, 48: 4}.get(channels)
    if unshuffle is None:
        raise ValueError(f"it reads {channels} channels, must be 3 of a picture, 12 or 48")
    return RRDBSizes(
        features=features,
        growth=shapes["body.0.rdb1.conv1.weight"][0],
        # Counted: a broken file may hold any number in a name.
        blocks=sum(name.endswith(".rdb1.conv1.weight") for name in shapes),
        doublings=sum(name.startswith("conv_up") and name.endswith(".weight") for name in shapes),
        unshuffle=unshuffle,
    )


def _leaky(x_BCHW: Tensor) -> Tensor:
    return functional.leaky_relu(x_BCHW, _SLOPE)


def _unshuffled(pictures_B3HW: Tensor, side: int) -> Tensor:
    """Pictures whose squares of `side` pixels are channels; the border is repeated to whole squares."""
    if side == 1:
        return pictures_B3HW
    below, right = (-length % side for length in pictures_B3HW.shape[2:])
    whole = functional.pad(pictures_B3HW, (0, right, 0, below), mode="replicate")
    return functional.pixel_unshuffle(whole, side)
