"""Similarity of frames."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.clips import moving
from tests.support.moving_scenes import MovingScene
from wangp_cli.motion.scene_cuts import CUT, DUPLICATE, similarity


def test_equal_frames_are_entirely_similar() -> None:
    frame = moving(1)
    assert similarity(frame, frame) == pytest.approx(1, abs=1e-4)


def test_frames_of_different_scenes_are_below_a_cut() -> None:
    frames = [MovingScene(seed, width=160, height=96).clip(1) for seed in (1, 3, 4, 12)]
    others = [MovingScene(seed, width=160, height=96).clip(1) for seed in (5, 6, 7, 9)]
    assert all(similarity(frame, other) < CUT for frame, other in zip(frames, others, strict=True))


def test_neighbours_of_a_moving_scene_are_neither_a_cut_nor_a_duplicate() -> None:
    for seed in range(6):
        first, second = MovingScene(seed, width=160, height=96, speed=12, layers=2).clip(2)[:, None]
        assert CUT < similarity(first, second) < DUPLICATE


def test_noise_alone_makes_a_duplicate() -> None:
    frame = moving(1, width=320, height=240).astype(np.int16)
    noisy = frame + np.random.default_rng(0).integers(-1, 2, frame.shape)
    assert similarity(frame.clip(0, 255).astype(np.uint8), noisy.clip(0, 255).astype(np.uint8)) > DUPLICATE


def test_a_dark_frame_differs_from_its_negative() -> None:
    frame = moving(1)
    assert similarity(frame, 255 - frame) < CUT
