"""Frames and mattes put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wangp_cli.matting.matter import Alpha
from wangp_cli.media.clip import Frames, as_float, as_type

Colour = tuple[int, int, int]
"""R, G and B, 0 to 255."""
GREEN_SCREEN: Colour = (0, 255, 0)
"""Pure green, which keying takes out again."""


def over_colour(frames: Frames, alpha: Alpha, colour: Colour) -> NDArray[np.float32]:
    """The object on a plain background.

    Args:
        frames: `[T, H, W, 3]`, any dtype of `Frames`.
        alpha: float32 `[T, H, W, 1]`.
        colour: of the background.

    Returns:
        float32 `[T, H, W, 3]` in [0, 1].
    """
    background = np.array(colour, np.float32) / np.float32(255)
    return as_float(frames) * alpha + background * (1 - alpha)


def with_alpha(frames: Frames, alpha: Alpha) -> Frames:
    """RGBA with straight alpha: colours are those of the frames, also where they are transparent.

    Args:
        frames: `[T, H, W, 3]`, any dtype of `Frames`.
        alpha: float32 `[T, H, W, 1]`.

    Returns:
        `[T, H, W, 4]`, dtype of the frames.
    """
    return np.concatenate([frames, as_type(alpha, frames.dtype)], axis=3)


def together(alphas: Sequence[Alpha]) -> Alpha:
    """Alpha of several objects as one: their sum, which has no seam where two objects touch.

    Args:
        alphas: float32 `[T, H, W, 1]` each, at least one.
    """
    return np.sum(alphas, axis=0, dtype=np.float32).clip(0, 1)
