"""Pictures of optical flow."""

from __future__ import annotations

import numpy as np
import pytest

from wangp_cli.media.clip import Frames
from wangp_cli.preprocess.flow import colour_wheel, flow_colours, flow_pictures
from wangp_cli.preprocess.kinds import PictureSettings, control_pictures


def to_the_right(speeds: list[float]) -> list[np.ndarray]:
    """Pictures of a clip whose frame i + 1 has moved by `speeds[i]` pixels."""
    frames = np.arange(len(speeds) + 1, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)

    def flow(first: Frames, second: Frames) -> np.ndarray:
        assert second[0, 0, 0] == first[0, 0, 0] + 1
        return np.full((8, 8, 2), (speeds[int(first[0, 0, 0])], 0), np.float32)

    return [picture[0, 0, 0].tolist() for picture in flow_pictures([frames], flow, strength=1)]


def test_the_wheel_goes_through_six_colours() -> None:
    wheel = colour_wheel()
    assert wheel.shape == (55, 3)
    assert wheel[[0, 15, 21, 25, 36, 49]].tolist() == [
        [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1],
    ]  # fmt: skip


def test_the_hue_is_the_direction_and_the_saturation_the_speed() -> None:
    vectors = np.array([[(0, 0), (1, 0), (0.5, 0), (3, 0), (-1, 0), (0, 1), (0, -1)]], np.float32)
    still, right, slower, faster, left, down, up = flow_colours(vectors)[0].tolist()
    assert still == [255, 255, 255]
    assert right == faster == [255, 0, 0]
    assert slower == [255, 127, 127]
    assert left[0] == 0
    assert left[1] > 200
    assert left[2] > 200
    assert down[0] > 200
    assert down[1] > 200
    assert down[2] == 0
    assert up[2] > 200
    assert up[1] < 100


def test_the_range_is_that_of_the_whole_clip_and_the_first_picture_is_repeated() -> None:
    assert to_the_right([2, 4, 1]) == [[255, 127, 127], [255, 127, 127], [255, 0, 0], [255, 191, 191]]


def test_noise_of_a_still_clip_is_pale() -> None:
    assert to_the_right([0.1]) == [[255, 229, 229]] * 2


def test_a_single_frame_does_not_move() -> None:
    assert to_the_right([]) == [[255, 255, 255]]


def test_strength_changes_the_pictures() -> None:
    t, y, x = np.mgrid[:3, :48, :64]
    # All of it moves to the right by two pixels per frame.
    scene = 127 + 60 * np.sin((x - 2 * t) / 5) + 60 * np.cos(y / 7)
    frames = np.repeat(scene.astype(np.uint8)[..., None], 3, axis=3)
    made = {
        strength: np.concatenate(
            list(control_pictures("flow", iter([frames]), PictureSettings(motion_strength=strength)))
        )
        for strength in (0.0, 0.5, 1.0)
    }
    assert all(pictures.shape == frames.shape for pictures in made.values())
    paleness = {
        strength: np.median(pictures[1, 16:32, 16:48].reshape(-1, 3), axis=0)
        for strength, pictures in made.items()
    }
    assert paleness[0.0].tolist() == [255, 255, 255]
    red, green, blue = paleness[1.0].tolist()
    assert red == 255
    assert max(green, blue) < 160
    assert paleness[0.5].tolist() == pytest.approx([255, (255 + green) / 2, (255 + blue) / 2], abs=2)
