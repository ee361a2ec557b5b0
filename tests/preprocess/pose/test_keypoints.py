"""Keypoints of people."""

from __future__ import annotations

import numpy as np
import pytest

from wangp_cli.preprocess.pose.keypoints import (
    DEVIATION,
    MEAN,
    Crop,
    decode_heatmaps,
    decode_simcc,
    to_openpose,
)

SIZE = (288, 384)


def test_a_crop_has_a_margin_and_the_shape_of_the_input() -> None:
    high = Crop.around(np.array([10, 20, 30, 120], np.float32), SIZE)
    assert high.centre.tolist() == [20, 70]
    assert high.sides.tolist() == [125 * 0.75, 125]
    wide = Crop.around(np.array([0, 0, 90, 30], np.float32), SIZE)
    assert wide.sides.tolist() == [112.5, 150]


def test_pixels_of_a_crop_lie_where_they_are_put_back() -> None:
    frame = np.zeros((400, 400, 3), np.uint8)
    frame[220, 150] = 255
    crop = Crop(np.array([200, 200], np.float32), np.array([288, 384], np.float32), SIZE)
    pixels = crop.pixels(frame)
    assert pixels.shape == (3, 384, 288)
    bright = np.array(np.unravel_index(pixels[0].argmax(), pixels[0].shape))[::-1]
    assert crop.to_frame(bright.astype(np.float32)).tolist() == [150, 220]
    red = (pixels[:, bright[1], bright[0]] * np.array(DEVIATION) + np.array(MEAN)).tolist()
    assert red == pytest.approx([255, 255, 255], abs=1e-3)
    # Half the scale, around another place; outside of the frame is black.
    small = Crop(np.array([0, 0], np.float32), np.array([576, 768], np.float32), SIZE)
    dark = small.pixels(np.full((400, 400, 3), 255, np.uint8))
    assert dark[0, 0, 0] == pytest.approx(-MEAN[0] / DEVIATION[0])
    assert dark[0, 200, 200] == pytest.approx((255 - MEAN[0]) / DEVIATION[0])
    assert small.to_frame(np.array([144, 192], np.float32)).tolist() == [0, 0]


def test_keypoints_are_the_likeliest_cells() -> None:
    across, down = np.zeros((1, 2, 576), np.float32), np.zeros((1, 2, 768), np.float32)
    across[0, 0, 101], down[0, 0, 200] = 0.9, 0.6
    across[0, 1, 0], down[0, 1, 767] = 0.2, 0.4
    found = decode_simcc(across, down)[0]
    assert found[0].tolist() == pytest.approx([50.5, 100, 0.6])
    assert found[1].tolist() == pytest.approx([0, 383.5, 0.2])


def test_keypoints_lean_to_the_higher_neighbour_of_the_highest_value() -> None:
    heatmaps = np.zeros((1, 2, 5, 9), np.float32)
    heatmaps[0, 0, 2, 4], heatmaps[0, 0, 2, 5], heatmaps[0, 0, 1, 4] = 0.8, 0.5, 0.1
    heatmaps[0, 1, 4, 8] = 0.6
    first, second = decode_heatmaps(heatmaps, (80, 40))[0].tolist()
    assert first == pytest.approx([4.25 * 10, 1.75 * 10, 0.8])
    assert second == pytest.approx([80, 40, 0.6])


def test_the_order_of_openpose_has_a_neck_between_the_shoulders() -> None:
    points = np.zeros((1, 133, 3), np.float32)
    points[0, :, 0] = np.arange(133)
    points[0, :, 2] = 0.8
    found = to_openpose(points)
    assert found.shape == (1, 134, 3)
    neck = 5.5
    # Nose, neck, right arm, left arm, right leg, left leg, right eye, left eye, right ear, left ear.
    body = [0, neck, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    assert found[0, :18, 0].tolist() == body
    assert found[0, 18:, 0].tolist() == list(range(17, 133))
    assert found[0, 1, 2] == 1
    points[0, 6, 2] = 0.2
    assert to_openpose(points)[0, 1, 2] == 0


def test_a_body_alone_has_neither_hands_nor_face() -> None:
    points = np.ones((2, 17, 3), np.float32)
    found = to_openpose(points)
    assert (found[:, :18, 2] == 1).all()
    assert (found[:, 18:, 2] == 0).all()
