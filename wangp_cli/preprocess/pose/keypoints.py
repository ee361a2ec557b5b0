"""Keypoints of people: input and output of a whole-body pose network with SimCC heads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wangp_cli.media.clip import Frames, as_uint8

Array = NDArray[np.float32]
People = NDArray[np.float32]
"""`[N, 134, 3]`: x, y in pixels and the score of each keypoint, in the order of OpenPose."""
KEYPOINTS = 134
BODY, FEET, FACE = slice(0, 18), slice(18, 24), slice(24, 92)
HANDS = (slice(92, 113), slice(113, 134))
LEAST_SCORE = 0.3
"""Keypoints of a lower score are not shown."""
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of red, green and blue, as in training."""
_BOX_MARGIN = 1.25
CELLS_PER_PIXEL = 2
"""SimCC split ratio."""
_NECK = 17
_SHOULDERS = (5, 6)
_OPENPOSE = (1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17)
_COCO = (17, 6, 8, 10, 7, 9, 12, 14, 16, 13, 15, 2, 1, 4, 3)
"""Which keypoint of COCO, with the neck behind its 17, takes the place of each in `_OPENPOSE`."""


class Crop(NamedTuple):
    """The part of a frame that a pose network sees, around one person.

    Args:
        centre: in pixels of the frame.
        sides: width and height in pixels of the frame.
        size: width and height of the network's input in pixels.
    """

    centre: Array
    sides: Array
    size: tuple[int, int]

    @classmethod
    def around(cls, box: Array, size: tuple[int, int]) -> Crop:
        """The crop around a box, with a margin, of the aspect ratio of the input."""
        centre = (box[:2] + box[2:]) / 2
        wide, high = (box[2:] - box[:2]) * np.float32(_BOX_MARGIN)
        aspect = size[0] / size[1]
        sides = (wide, wide / aspect) if wide > high * aspect else (high * aspect, high)
        return cls(centre.astype(np.float32), np.array(sides, np.float32), size)

    def pixels(self, frame: Frames) -> Array:
        """The input of the network, float32 `[3, height, width]`, normalised; black outside of the frame."""
        step_x, step_y = self.sides / np.array(self.size, np.float32)
        # Whole numbers are centres of pixels here, and corners for Pillow.
        left = self.centre[0] - self.size[0] / 2 * step_x + (1 - step_x) / 2
        top = self.centre[1] - self.size[1] / 2 * step_y + (1 - step_y) / 2
        image = Image.fromarray(as_uint8(frame)).transform(
            self.size,
            Image.Transform.AFFINE,
            (float(step_x), 0, float(left), 0, float(step_y), float(top)),
            Image.Resampling.BILINEAR,
        )
        pixels = (np.asarray(image, np.float32) - np.array(MEAN, np.float32)) / np.array(
            DEVIATION, np.float32
        )
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def to_frame(self, points: Array) -> Array:
        """Points `[..., 2]` in pixels of the input as pixels of the frame."""
        share = points / np.array(self.size, np.float32) - 0.5
        return np.asarray(share * self.sides + self.centre, np.float32)


def decode_simcc(across: Array, down: Array) -> Array:
    """Keypoints of SimCC classifications: x, y in pixels of the input and a score, `[N, K, 3]`.

    Args:
        across: `[N, K, cells]`, two cells for each pixel of the width.
        down: `[N, K, cells]`, of the height.

    Source: Li et al. 2022, SimCC, arXiv:2107.03332.
    """
    places = np.stack([across.argmax(axis=2), down.argmax(axis=2)], axis=2) / CELLS_PER_PIXEL
    scores = np.minimum(across.max(axis=2), down.max(axis=2))[..., None]
    return np.concatenate([places, scores], axis=2).astype(np.float32)


def decode_heatmaps(heatmaps: Array, size: tuple[int, int]) -> Array:
    """Keypoints of heatmaps: x, y in pixels of the input and a score, `[N, K, 3]`.

    Args:
        heatmaps: `[N, K, h, w]`; their corners are those of the input.
        size: width and height of the input in pixels.

    Source: Newell et al. 2016, arXiv:1603.06937: the highest value, a quarter towards its higher neighbour.
    """
    people, joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(people, joints, -1)
    y, x = np.divmod(flat.argmax(axis=2), width)
    padded = np.pad(heatmaps, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    one, each = np.ogrid[:people, :joints]
    across = padded[one, each, y + 1, x + 2] - padded[one, each, y + 1, x]
    down = padded[one, each, y + 2, x + 1] - padded[one, each, y, x + 1]
    # At a border there is one neighbour, which tells nothing.
    across[(x == 0) | (x == width - 1)] = down[(y == 0) | (y == height - 1)] = 0
    places = np.stack([x + np.sign(across) / 4, y + np.sign(down) / 4], axis=2)
    places *= np.array(size) / (width - 1, height - 1)
    return np.concatenate([places, flat.max(axis=2)[..., None]], axis=2).astype(np.float32)


def to_openpose(points: Array) -> People:
    """Keypoints in the order of COCO-WholeBody as those of OpenPose, which has a neck.

    Args:
        points: `[N, 133, 3]` or `[N, 17, 3]`, of which the others are hidden.
    """
    padded = np.zeros((len(points), KEYPOINTS - 1, 3), np.float32)
    padded[:, : points.shape[1]] = points
    shoulders = padded[:, _SHOULDERS]
    neck = shoulders.mean(axis=1)
    neck[:, 2] = (shoulders[..., 2] > LEAST_SCORE).all(axis=1)
    whole = np.insert(padded, _NECK, neck, axis=1)
    people = whole.copy()
    people[:, _OPENPOSE] = whole[:, _COCO]
    return people
