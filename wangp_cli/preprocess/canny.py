"""Edge maps by the Canny detector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float

_TAN_22 = np.tan(np.pi / 8)
_NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def canny(frames: Frames, *, low: float = 100, high: float = 200) -> NDArray[np.float32]:
    """Edge maps of frames: white edges one pixel wide on black.

    Args:
        frames: `[T, H, W, 3]` RGB, any dtype of `Frames`.
        low: least gradient of a pixel of an edge: |x| + |y| of Sobel filters over the channel in [0, 255] in
            which it is largest, so that colours of one luma have edges, too.
        high: least gradient of at least one pixel of each edge.

    Returns:
        float32 `[T, H, W, 3]`, 0 or 1.

    Source: Canny 1986, A Computational Approach to Edge Detection, without smoothing, with gradients as in
    OpenCV's `Canny`.
    """
    edges = [_edges(as_float(frame)[..., :3] * np.float32(255), low, high) for frame in frames]
    shape = (*frames.shape[:3], 3)
    return np.broadcast_to(np.array(edges, np.float32).reshape(*shape[:3], 1), shape).copy()


def _edges(colours: NDArray[np.float32], low: float, high: float) -> NDArray[np.bool_]:
    across, down = _strongest(*_sobel(np.rint(colours)))
    gradient = np.abs(across) + np.abs(down)
    ridge = _local_maxima(gradient, across, down)
    return _connected(ridge & (gradient > high), ridge & (gradient > low))


def _strongest(
    across: NDArray[np.float32], down: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of gradients `[H, W, C]`, those of the channel in which each pixel has the largest."""
    channel = (np.abs(across) + np.abs(down)).argmax(axis=2)[..., None]
    return (
        np.take_along_axis(across, channel, axis=2)[..., 0],
        np.take_along_axis(down, channel, axis=2)[..., 0],
    )


def _sobel(colours: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    padded = np.pad(colours, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    columns = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]


def _local_maxima(
    gradient: NDArray[np.float32], across: NDArray[np.float32], down: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Non-maximum suppression: pixels with the largest gradient along its direction, of four directions."""
    padded = np.pad(gradient, 1)
    height, width = gradient.shape

    def neighbour(y: int, x: int) -> NDArray[np.float32]:
        return padded[1 + y : 1 + y + height, 1 + x : 1 + x + width]

    level = np.abs(down) < np.abs(across) * _TAN_22
    upright = np.abs(down) > np.abs(across) / _TAN_22
    falling = (across < 0) == (down < 0)
    # `>=` on one side: of two equal neighbours along a row or a column one is kept.
    return np.select(
        [level, upright, falling],
        [
            (gradient > neighbour(0, -1)) & (gradient >= neighbour(0, 1)),
            (gradient > neighbour(-1, 0)) & (gradient >= neighbour(1, 0)),
            (gradient > neighbour(-1, -1)) & (gradient > neighbour(1, 1)),
        ],
        (gradient > neighbour(-1, 1)) & (gradient > neighbour(1, -1)),
    )


def _connected(seeds: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The allowed pixels that are connected with a seed, diagonals included."""
    reached = np.pad(seeds, 1)
    free = np.pad(allowed & ~seeds, 1)
    y, x = np.nonzero(reached)
    while len(y):
        near = np.concatenate([(y + dy) * free.shape[1] + x + dx for dy, dx in _NEIGHBOURS])
        near = np.unique(near[free.ravel()[near]])
        reached.ravel()[near] = True
        free.ravel()[near] = False
        y, x = np.divmod(near, free.shape[1])
    return reached[1:-1, 1:-1]
