"""Dilation and erosion of the mask of one frame by an ellipse."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from wangp_cli.matting.matter import Mask


def dilate(mask: Mask, size: int) -> Mask:
    """1 wherever the ellipse around a pixel touches the mask, else 0.

    Args:
        mask: float32 `[H, W]`; what is above 0 counts as mask.
        size: width and height of the ellipse in pixels; 0 returns the mask unchanged.
    """
    return _touches(mask > 0, size).astype(np.float32) if size else mask


def erode(mask: Mask, size: int) -> Mask:
    """1 wherever the ellipse around a pixel is inside the mask, else 0.

    Args:
        mask: float32 `[H, W]`; only 1 counts as mask, and beyond the border of the frame it goes on.
        size: width and height of the ellipse in pixels; 0 returns the mask unchanged.
    """
    return (~_touches(mask < 1, size)).astype(np.float32) if size else mask


def ellipse(size: int) -> list[tuple[int, int, int]]:
    """Rows of an ellipse as offsets from the pixel in its middle: row, first column, column after the last.

    An even size reaches one pixel further up and to the left.

    Source: the rounding of `getStructuringElement` of OpenCV, so that sizes mean what they mean elsewhere.
    """
    radius = size // 2
    rows = []
    for row in range(-radius, size - radius):
        half = round(math.sqrt(radius * radius - row * row)) if radius else 0
        rows.append((row, -half, min(half + 1, size - radius)))
    return rows


def _touches(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Whether any pixel of the mask is under the ellipse around each pixel."""
    height, width = mask.shape
    before = np.zeros((height, width + 1), np.int32)
    np.cumsum(mask, axis=1, out=before[:, 1:])
    columns = np.arange(width)
    touches = np.zeros_like(mask)
    for row, first, end in ellipse(size):
        counts = before[:, (columns + end).clip(0, width)] - before[:, (columns + first).clip(0, width)]
        top, bottom = max(-row, 0), min(height - row, height)
        if top < bottom:
            touches[top:bottom] |= counts[top + row : bottom + row] > 0
    return touches
