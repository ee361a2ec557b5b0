"""Edges."""

from __future__ import annotations

import numpy as np

from tests.support.clips import moving
from wangp_cli.preprocess.canny import canny


def square(inside: int = 255) -> np.ndarray:
    frames = np.zeros((2, 24, 32, 3), np.uint8)
    frames[0, 8:16, 10:20] = inside
    return frames


def test_edges_are_one_pixel_wide_and_close() -> None:
    found = canny(square())
    assert found.shape == (2, 24, 32, 3)
    assert found.dtype == np.float32
    assert set(np.unique(found)) == {0.0, 1.0}
    edge = found[0, ..., 0]
    assert edge[12].sum() == 2
    assert edge[:, 15].sum() == 2
    assert not edge[10:14, 12:18].any()
    assert not edge[:6].any()
    assert not found[1].any()


def test_faint_slopes_count_where_they_hang_on_steep_ones() -> None:
    # A step of 32 has a slope of 128 along a side, and of 192 at a corner.
    assert not canny(square(32)).any()
    assert canny(square(32), high=150).any()
    faint = square(32)
    faint[0, 8:12, 10:20] = 255
    edge = canny(faint)[0, ..., 0]
    assert edge[15].any()
    assert not canny(faint, low=190)[0, 15].any()


def test_colours_of_one_luma_have_edges() -> None:
    y, x = np.mgrid[:96, :96]
    circle = (y - 48) ** 2 + (x - 48) ** 2 < 400
    frame = np.where(circle[..., None], np.array([255, 0, 0], np.uint8), np.array([0, 0, 255], np.uint8))[
        None
    ]
    # OpenCV's `Canny` finds the same pixels.
    assert canny(frame)[..., 0].sum() == 128
    # Both have a luma of 70 of 255.
    level = np.where(circle[..., None], np.array([128, 60, 0], np.uint8), np.array([243, 0, 255], np.uint8))[
        None
    ]
    assert np.array_equal(canny(level), canny(frame))


def test_precision_of_the_frames_does_not_matter() -> None:
    frames = moving(3)
    assert np.array_equal(canny(frames), canny(frames.astype(np.float32) / 255))
    assert np.array_equal(canny(frames)[..., 0], canny(frames)[..., 2])
