"""Pictures of depth."""

from __future__ import annotations

import numpy as np

from wangp_cli.media.clip import Frames
from wangp_cli.preprocess.depth import DepthRange, depth_pictures

NEAR = np.array([[[1, 3]], [[2, 5]]], np.float32)
"""Inverse depths of two frames of 1x2 pixels."""


def greys(range_of: DepthRange, contrast: float = 1) -> list[list[int]]:
    frames = np.arange(2, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 3), np.uint8)

    def depth(piece: Frames) -> np.ndarray:
        return NEAR[piece[:, 0, 0, 0]]

    pieces = [frames[:1], frames[1:]]
    made = np.concatenate(list(depth_pictures(pieces, depth, contrast=contrast, range_of=range_of)))
    assert made.shape == frames.shape
    assert (made == made[..., :1]).all()
    return made[:, 0, :, 0].tolist()  # type: ignore[no-any-return]


def test_a_thing_keeps_its_brightness_over_the_clip() -> None:
    assert greys("clip") == [[0, 128], [64, 255]]
    assert greys("frame") == [[0, 255], [0, 255]]


def test_contrast_turns_around_middle_grey() -> None:
    assert greys("clip", 0.5) == [[64, 128], [96, 191]]
    assert greys("clip", 2) == [[0, 128], [0, 255]]


def test_a_flat_clip_has_no_depth() -> None:
    flat = np.zeros((2, 4, 4, 3), np.uint8)
    made = depth_pictures([flat], lambda piece: np.full(piece.shape[:3], 7.0, np.float32), contrast=1,
                          range_of="clip")  # fmt: skip
    assert not np.concatenate(list(made)).any()
