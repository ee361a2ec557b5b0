"""SRVGGNetCompact, the small network of Real-ESRGAN for videos.

B batch, C channels, H height, W width
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class CompactSizes:
    """Sizes of an SRVGGNetCompact.

    Args:
        features: channels between layers.
        layers: convolutions between the first and the last one.
        scale: how many times as wide and high the result is.
    """

    features: int = 64
    layers: int = 16
    scale: int = 4


class SRVGGNetCompact(nn.Module):
    """Makes pictures larger: convolutions at the size of the input, whose last one holds all new pixels.

    Source: the SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833). Its parts have the names
    that they have in its files.
    """

    def __init__(self, sizes: CompactSizes) -> None:
        super().__init__()
        self.scale = sizes.scale
        width = sizes.features
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(sizes.layers):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * sizes.scale**2, 3, padding=1))

    def forward(self, pictures_B3HW: Tensor) -> Tensor:
        """Larger pictures.

        Args:
            pictures_B3HW: RGB in [0, 1].

        Returns:
            `[B, 3, scale * H, scale * W]`, about in [0, 1].
        """
        detail = functional.pixel_shuffle(self.body(pictures_B3HW), self.scale)
        nearest = functional.interpolate(pictures_B3HW, scale_factor=self.scale, mode="nearest")
        larger: Tensor = detail + nearest
        return larger


def compact_sizes(shapes: Mapping[str, tuple[int, ...]]) -> CompactSizes:
    """The sizes of the network of which these are the shapes.

    Raises:
        ValueError: a tensor that tells a size is absent, or has a shape that no such network has.
    """
    if "body.0.weight" not in shapes:
        raise ValueError("body.0.weight is absent")
    # Counted: a broken file may hold any number in a name.
    last = 2 * (sum(len(shape) == 4 for shape in shapes.values()) - 1)
    values = shapes.get(f"body.{last}.weight", (0,))[0]
    scale = math.isqrt(values // 3)
    if scale == 0 or 3 * scale**2 != values:
        raise ValueError(f"its last layer has {values} channels, must be 3 for each new pixel")
    return CompactSizes(features=shapes["body.0.weight"][0], layers=(last - 2) // 2, scale=scale)
