"""Joining clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wangp_cli.errors import RequestError
from wangp_cli.media.clip import Frames, as_float, as_type

_BLUR_PIXELS = 3.0


def ramp(overlap: int) -> NDArray[np.float32]:
    """Weight of the new clip in each shared frame: float32 `[overlap]`, rising to exactly 1.

    The last shared frame is the new clip's own, so the cut after it is exact:
    `(1 - cos(pi * i / n)) / 2` for i = 1 to n; 4 frames give 0.146, 0.5, 0.854, 1.
    """
    steps = np.arange(1, overlap + 1, dtype=np.float64) / max(overlap, 1)
    return ((1 - np.cos(np.pi * steps)) / 2).astype(np.float32)


def crossfade(left: Frames, right: Frames, overlap: int, *, sharpen: float = 0.0) -> Frames:
    """Join two clips, mixing the end of one into the start of the other.

    Args:
        left: `[T, H, W, C]`.
        right: `[U, H, W, C]`; same H, W and C as `left`.
        overlap: frames shared by both; 0 is a plain cut.
        sharpen: how much detail to give back to mixed frames, which are softer than their
            neighbours; 0.3 is a light touch, 0 changes nothing.

    Returns:
        `[T + U - overlap, H, W, C]` of the dtype both share, else float32 in [0, 1]. Frames outside the
        overlap are copied bit for bit.

    Raises:
        RequestError: sizes differ, or a clip is shorter than `overlap`.
    """
    if left.shape[1:] != right.shape[1:]:
        raise RequestError("clips", f"sizes differ: {_named(left)} and {_named(right)}")
    if overlap < 0:
        raise RequestError("overlap", f"{overlap} frames, must be 0 or more")
    if overlap > (shorter := min(len(left), len(right))):
        raise RequestError("overlap", f"{overlap} frames, but the shorter clip has {shorter}")
    if left.dtype != right.dtype:
        left, right = as_float(left), as_float(right)
    if overlap == 0:
        return np.concatenate([left, right])
    mixed = mix(left[len(left) - overlap :], right[:overlap], sharpen=sharpen)
    return np.concatenate([left[: len(left) - overlap], mixed, right[overlap:]])


def mix(old: Frames, new: Frames, *, sharpen: float = 0.0) -> Frames:
    """Frames that lead from `old` to `new` along `ramp`; the last is `new`'s own.

    Args:
        old: `[N, H, W, C]`.
        new: `[N, H, W, C]`, same dtype.
        sharpen: as in `crossfade`; falls away with the mix, so the last frame is untouched.

    Returns:
        `[N, H, W, C]`, same dtype.
    """
    weights = ramp(len(new))[:-1, None, None, None]
    mixed = as_float(old[:-1]) * (1 - weights) + as_float(new[:-1]) * weights
    if sharpen:
        # Where one clip dominates there is nothing to give back.
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


def _named(frames: Frames) -> str:
    return f"{frames.shape[2]}x{frames.shape[1]} with {frames.shape[3]} channels"
