"""How well each pixel of the first frame matches places of the second."""

# B batch, C channels, H height, W width, P pixels of the first frame, K places of a window along one side

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 4
RADIUS = 4
"""Pixels around the place where a pixel is expected, on each level."""
PLACES = LEVELS * (2 * RADIUS + 1) ** 2
"""Places that are looked up for each pixel."""


class Correlation:
    """Correlations of all pairs of pixels, at four resolutions of the second frame.

    Args:
        first_BCHW: features of the first frame.
        second_BCHW: features of the second.

    Source: Teed and Deng 2020, arXiv:2003.12039, section 3.2.
    """

    def __init__(self, first_BCHW: Tensor, second_BCHW: Tensor) -> None:
        batch, channels, height, width = first_BCHW.shape
        first_BPC = first_BCHW.flatten(2).transpose(1, 2)
        scores = first_BPC @ second_BCHW.flatten(2) / channels**0.5
        self._levels = [scores.reshape(batch * height * width, 1, height, width)]
        for _ in range(LEVELS - 1):
            self._levels.append(functional.avg_pool2d(self._levels[-1], 2))

    def look_up(self, place_B2HW: Tensor) -> Tensor:
        """Correlations around the places where the pixels are expected: `[B, 324, H, W]`.

        Windows run down first and then across, on each level.

        Args:
            place_B2HW: x and y in the second frame, in pixels of the map.
        """
        batch, _, height, width = place_B2HW.shape
        steps_K = torch.arange(-RADIUS, RADIUS + 1, device=place_B2HW.device, dtype=place_B2HW.dtype)
        # The first axis of a window is x: weights were trained on windows that lie on their side.
        window_KK2 = torch.stack(torch.meshgrid(steps_K, steps_K, indexing="ij"), 2)
        place_P112 = place_B2HW.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        found = [
            _sample(level, place_P112 / 2**number + window_KK2) for number, level in enumerate(self._levels)
        ]
        return torch.cat(found, 1).reshape(batch, height, width, PLACES).permute(0, 3, 1, 2)


def _sample(level_P1HW: Tensor, place_PKK2: Tensor) -> Tensor:
    """Values `[P, K * K]` between pixels, bilinearly; outside they are 0."""
    height, width = level_P1HW.shape[2:]
    size_2 = place_PKK2.new_tensor([width, height])
    grid_PKK2 = (2 * place_PKK2 + 1) / size_2 - 1
    return functional.grid_sample(level_P1HW, grid_PKK2, align_corners=False).flatten(1)
