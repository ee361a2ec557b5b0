"""Find people: input and output of a YOLOX detector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wangp_cli.media.clip import Frames, as_uint8

Array = NDArray[np.float32]
SIDE = 640
"""Width and height of the detector's input in pixels."""
STRIDES = (8, 16, 32)
"""Pixels per cell of its three grids."""
_PADDING = 114
LEAST_SCORE = 0.3
_MOST_OVERLAP = 0.45
"""Intersection over union above which two boxes are one person."""


def letterbox(frame: Frames) -> tuple[Array, float]:
    """A frame as the detector takes it, and its scale.

    Args:
        frame: RGB `[H, W, 3]`, any dtype of `Frames`.

    Returns:
        float32 `[1, 3, SIDE, SIDE]`, blue, green, red in [0, 255], the frame in its upper left corner; and
        the pixels of that per pixel of the frame.
    """
    height, width = frame.shape[:2]
    scale = min(SIDE / height, SIDE / width)
    size = int(width * scale), int(height * scale)
    scaled = np.asarray(Image.fromarray(as_uint8(frame)).resize(size, Image.Resampling.BILINEAR))
    canvas = np.full((SIDE, SIDE, 3), _PADDING, np.float32)
    canvas[: size[1], : size[0]] = scaled[..., ::-1]
    return np.ascontiguousarray(canvas.transpose(2, 0, 1))[None], scale


def people_boxes(output: Array, scale: float, size: tuple[int, int]) -> Array:
    """The boxes of people, the surest first; the whole frame if there is none.

    Args:
        output: of the detector, `[1, cells, 85]`: offsets of the centre, logarithms of the size, objectness,
            and scores of 80 classes, the first of which is people.
        scale: of `letterbox`.
        size: width and height of the frame in pixels.

    Returns:
        float32 `[N, 4]`: left, top, right, bottom in pixels of the frame.
    """
    boxes, scores = decode_grid(output[0])
    sure = scores > LEAST_SCORE
    boxes, scores = boxes[sure] / scale, scores[sure]
    kept = suppress(boxes, scores)
    return boxes[kept] if kept else np.array([[0, 0, *size]], np.float32)


def decode_grid(cells: Array) -> tuple[Array, Array]:
    """Boxes of all cells in pixels of the detector's input, `[N, 4]` as corners, and their scores as people.

    Source: Ge et al. 2021, YOLOX, arXiv:2107.08430.
    """
    places, strides = [], []
    for stride in STRIDES:
        count = SIDE // stride
        y, x = np.divmod(np.arange(count * count), count)
        places.append(np.stack([x, y], axis=1))
        strides.append(np.full((count * count, 1), stride))
    place, stride_of = np.concatenate(places), np.concatenate(strides)
    centre = (cells[:, :2] + place) * stride_of
    half = np.exp(cells[:, 2:4]) * stride_of / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    return boxes.astype(np.float32), np.asarray(cells[:, 4] * cells[:, 5], np.float32)


def suppress(boxes: Array, scores: Array) -> list[int]:
    """Non-maximum suppression: indices of boxes that no surer one overlaps much, the surest first."""
    rest = list(np.argsort(-scores, kind="stable"))
    kept: list[int] = []
    while rest:
        best = rest.pop(0)
        kept.append(int(best))
        rest = [index for index in rest if _overlap(boxes[best], boxes[index]) <= _MOST_OVERLAP]
    return kept


def _overlap(one: Array, other: Array) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    area = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / max(area - shared, 1e-9)
