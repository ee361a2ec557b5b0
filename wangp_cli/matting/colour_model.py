"""How likely colours are those of an object or of its background, by histograms of key frames."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_BINS = 16
"""Per channel."""
_LEAST_OF_OBJECT, _LEAST_OF_BACKGROUND = 1e-4, 4e-4
"""Shares of colours that a histogram has never seen: new ones are rather of a background that appears."""
_STRONGEST = 4.0
"""Log odds beyond which the colour of one pixel is not trusted."""


class ColourModel:
    """Histograms of the colours of an object and of everything else.

    Args:
        device: where they are computed.
    """

    def __init__(self, device: torch.device) -> None:
        self._counts = torch.zeros(2, _BINS**3, device=device)

    def add(self, frame: Tensor, alpha: Tensor) -> None:
        """Count the pixels of a frame, each by its alpha as object and by the rest as background.

        Args:
            frame: float32 `[1, 3, H, W]` in [0, 1].
            alpha: float32 `[1, 1, H, W]` in [0, 1].
        """
        bins = _bins_of(frame)
        for counts, weight in zip(self._counts, (alpha, 1 - alpha), strict=True):
            counts.index_add_(0, bins, weight.flatten())

    def probability(self, frame: Tensor) -> Tensor:
        """Probability that each pixel is of the object, by its colour alone: float32 `[1, 1, H, W]`.

        Colours that both show equally often for their sizes give 0.5, those of neither a little less.
        """
        cubes = self._counts.reshape(2, 1, _BINS, _BINS, _BINS)
        for axis in (2, 3, 4):
            cubes = _smoothed(cubes, axis)
        shares = cubes.flatten(1) / cubes.sum(dim=(1, 2, 3, 4)).clamp(min=1e-6)[:, None]
        odds = torch.log((shares[0] + _LEAST_OF_OBJECT) / (shares[1] + _LEAST_OF_BACKGROUND))
        pixels = odds.clamp(-_STRONGEST, _STRONGEST)[_bins_of(frame)]
        return torch.sigmoid(pixels).reshape(1, 1, *frame.shape[2:])


def _bins_of(frame: Tensor) -> Tensor:
    """The bin of each pixel: int64 `[H * W]`."""
    red, green, blue = (frame[0] * (_BINS - 1)).round().long().clamp(0, _BINS - 1).flatten(1)
    return (red * _BINS + green) * _BINS + blue


def _smoothed(cubes: Tensor, axis: int) -> Tensor:
    """Each bin mixed with its neighbours along an axis, with weights 1, 2 and 1."""
    shape = [1] * 5
    shape[axis] = 3
    kernel = torch.tensor([0.25, 0.5, 0.25], device=cubes.device).reshape(shape)
    return functional.conv3d(cubes, kernel, padding=[int(size == 3) for size in shape[2:]])
