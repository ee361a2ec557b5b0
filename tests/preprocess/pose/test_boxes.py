"""Boxes of people."""

from __future__ import annotations

import numpy as np
import pytest

from wangp_cli.preprocess.pose.boxes import SIDE, decode_grid, letterbox, people_boxes, suppress

CELLS = 80 * 80 + 40 * 40 + 20 * 20


def cells(*found: tuple[int, tuple[float, float, float, float], float, int]) -> np.ndarray:
    """Output of a detector: (cell, offsets and logarithms, score, class) each; other cells say nothing."""
    output = np.zeros((1, CELLS, 85), np.float32)
    for cell, box, score, kind in found:
        output[0, cell, :4] = box
        output[0, cell, 4] = 0.9
        output[0, cell, 5 + kind] = score / 0.9
    return output


def test_a_frame_lies_in_the_upper_left_corner() -> None:
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[..., 0] = 200
    pixels, scale = letterbox(frame)
    assert pixels.shape == (1, 3, SIDE, SIDE)
    assert pixels.dtype == np.float32
    assert scale == 2
    assert pixels[0, :, 479, 639].tolist() == [0, 0, 200]
    assert pixels[0, :, 480, 0].tolist() == [114, 114, 114]


def test_cells_count_from_their_own_place_in_strides() -> None:
    second_row = 80 * 80 + 40 + 3
    boxes, scores = decode_grid(cells((second_row, (0.5, 0.25, np.log(2), 0), 0.8, 0))[0])
    # A centre of (3.5, 1.25) cells of 16 pixels, two cells wide and one high.
    assert boxes[second_row].tolist() == pytest.approx([56 - 16, 20 - 8, 56 + 16, 20 + 8], abs=1e-3)
    assert scores[second_row] == pytest.approx(0.8)
    assert boxes.shape == (CELLS, 4)
    last, _ = decode_grid(cells()[0])
    assert last[-1].tolist() == [19 * 32 - 16, 19 * 32 - 16, 19 * 32 + 16, 19 * 32 + 16]


def test_of_boxes_that_overlap_the_surest_is_kept() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [0, 6, 10, 16]], np.float32)
    assert suppress(boxes, np.array([0.5, 0.9, 0.6, 0.4], np.float32)) == [1, 2, 3]
    # Half of the box lies in the other: a third of both together.
    assert suppress(boxes[[0, 3]], np.array([0.5, 0.4], np.float32)) == [0, 1]


def test_only_people_that_are_sure_enough_are_found() -> None:
    person = (100, (0, 0, 2, 3), 0.7, 0)
    doubtful, chair = (2000, (0, 0, 2, 3), 0.29, 0), (3000, (0, 0, 2, 3), 0.9, 56)
    found = people_boxes(cells(person, doubtful, chair), 2.0, (320, 240))
    assert len(found) == 1
    centre = np.array([20 * 8, 8]) / 2
    half = np.exp([2, 3]) * 8 / 4
    assert found[0].tolist() == pytest.approx([*(centre - half), *(centre + half)], rel=1e-5)


def test_without_people_the_whole_frame_is_searched() -> None:
    assert people_boxes(cells(), 2.0, (320, 240)).tolist() == [[0, 0, 320, 240]]
