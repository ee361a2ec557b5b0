"""Masks: white is changed, black is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of R, G and B in BT.709 luma."""

_GREY = 16 / 255
"""Largest difference of R, G and B of grey pixels that a lossy codec has stored."""


def single_channel(frames: Frames) -> NDArray[np.float32]:
    """Frames as one channel: luma of RGB and of grey RGBA; alpha of a cut-out in colours, or in one.

    Args:
        frames: `[T, H, W, C]`, any dtype of `Frames`.

    Returns:
        float32 `[T, H, W, 1]` in [0, 1].
    """
    values = as_float(frames)
    if values.shape[3] == 1:
        return values
    colour, alpha = values[..., :3], values[..., 3:]
    if alpha.size and np.ptp(alpha) > 0 and _is_no_mask(colour):
        return alpha
    return (colour @ LUMA)[..., None].clip(0, 1)


def _is_no_mask(colour: NDArray[np.float32]) -> bool:
    """Whether pixels `[T, H, W, 3]` are all alike, or colours of a picture: masks are black and white."""
    return not np.ptp(colour.reshape(-1, 3), axis=0).any() or bool((np.ptp(colour, axis=3) > _GREY).any())


def threshold(frames: Frames) -> NDArray[np.uint8]:
    """A binary mask, 0 or 255: white from 127.5 of 255.

    Args:
        frames: `[T, H, W, C]`, any dtype of `Frames`.

    Returns:
        uint8 `[T, H, W, 1]`.
    """
    # The luma weights sum to 1 only up to rounding.
    return np.where(single_channel(frames) >= 127.5 / 255 - 1e-6, np.uint8(255), np.uint8(0))


def expand(mask: Frames, pixels: int) -> Frames:
    """A mask dilated by a square of `pixels` on every side; eroded where `pixels` is negative.

    Args:
        mask: `[T, H, W, 1]`, any dtype.
        pixels: distance; beyond the border of the frame the mask continues as at the border.

    Returns:
        `[T, H, W, 1]`, same dtype.
    """
    for axis in (1, 2):
        mask = _running_extreme(mask, abs(pixels), axis, grow=pixels > 0)
    return mask


def feather(mask: Frames, pixels: int) -> NDArray[np.float32]:
    """A mask that rises smoothly from its edge inwards; outside it stays 0.

    Args:
        mask: `[T, H, W, 1]`, binary, any dtype.
        pixels: width of the rise; there is none at the border of the frame.

    Returns:
        float32 `[T, H, W, 1]` in [0, 1].
    """
    depth = as_float(mask)
    inner = mask
    for _ in range(pixels):
        inner = expand(inner, -1)
        depth = depth + as_float(inner)
    rise: NDArray[np.float32] = (1 - np.cos(np.float32(np.pi) * depth / np.float32(pixels + 1))) / 2
    return rise


def _running_extreme(mask: Frames, reach: int, axis: int, *, grow: bool) -> Frames:
    """Running maximum or minimum over `2 * reach + 1` values, by windows of doubling length."""
    pick = np.maximum if grow else np.minimum
    padding = [(0, 0)] * 4
    padding[axis] = (reach, reach)
    values = np.moveaxis(np.pad(mask, padding, mode="edge"), axis, 0)
    window, width = 2 * reach + 1, 1
    while width * 2 <= window:
        values = pick(values[:-width], values[width:])
        width *= 2
    length = mask.shape[axis]
    rest = window - width
    return np.moveaxis(pick(values[:length], values[rest : rest + length]), 0, axis)
