"""Crossfades between clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float, as_type

_BLUR_PIXELS = 3.0


def crossfade_weights(overlap: int) -> NDArray[np.float32]:
    """Weight of the new clip in each shared frame: float32 `[overlap]`, rising to exactly 1.

    The last shared frame is the new clip's own, so the cut after it is exact:
    `(1 - cos(pi * i / n)) / 2` for i = 1 to n; 4 frames give 0.146, 0.5, 0.854, 1.
    """
    steps = np.arange(1, overlap + 1, dtype=np.float64) / max(overlap, 1)
    return ((1 - np.cos(np.pi * steps)) / 2).astype(np.float32)


def crossfade(old: Frames, new: Frames, *, sharpen: float = 0.0) -> Frames:
    """The shared frames of two clips, mixed from `old` to `new` by `crossfade_weights`.

    Args:
        old: `[N, H, W, C]`, the last frames of the first clip; N is at least 1.
        new: `[N, H, W, C]`, the first frames of the second clip, same dtype.
        sharpen: how much detail to give back to mixed frames, which are softer than their neighbours; 0.3 is
            a light touch, 0 changes nothing. The last frame is never sharpened.

    Returns:
        `[N, H, W, C]`, same dtype; the last frame is a copy of the last of `new`.
    """
    weights = crossfade_weights(len(new))[:-1, None, None, None]
    mixed = as_float(old[:-1]) * (1 - weights) + as_float(new[:-1]) * weights
    if sharpen:
        # Where one clip dominates there is no detail to give back.
        amount = np.float32(sharpen) * 4 * weights * (1 - weights)
        mixed = (mixed + (mixed - _blurred(mixed)) * amount).clip(0, 1)
    return np.concatenate([as_type(mixed, new.dtype), new[-1:]])


def _blurred(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    reach = int(_BLUR_PIXELS * 3)
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    kernel = np.exp(-(offsets**2) / (2 * _BLUR_PIXELS**2))
    kernel /= kernel.sum()
    for axis in (1, 2):
        padding = [(0, 0)] * 4
        padding[axis] = (reach, reach)
        padded = np.pad(frames, padding, mode="edge")
        length = frames.shape[axis]
        total = np.zeros_like(frames)
        for position, weight in enumerate(kernel):
            total += weight * np.take(padded, range(position, position + length), axis=axis)
        frames = total
    return frames
