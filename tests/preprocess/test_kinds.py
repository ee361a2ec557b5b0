"""The table of control pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.clips import moving
from tests.support.people import person
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.preprocess.canny import canny
from wangp_cli.preprocess.kinds import KINDS, PictureSettings, control_pictures
from wangp_cli.preprocess.pose.draw import draw_people


class Networks:
    """Every network: what it gives depends on the frame."""

    def depth(self, frames: Frames) -> np.ndarray:
        return as_float(frames)[..., 0]

    def lines(self, frames: Frames) -> np.ndarray:
        return as_float(frames)[..., 1]

    def people(self, frame: Frames) -> np.ndarray:
        return person(frame.shape[1], frame.shape[0])


def pictures(kind: str, frames: Frames, network: Any = None, **settings: Any) -> np.ndarray:
    pieces: Iterator[Frames] = (frames[at : at + 2] for at in range(0, len(frames), 2))
    return np.concatenate(list(control_pictures(kind, pieces, PictureSettings(**settings), network)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_kind_gives_a_picture_for_each_frame(kind: str, dtype: Any) -> None:
    frames = moving(5, dtype=dtype)
    made = pictures(kind, frames, Networks() if kind in ("depth", "pose", "scribble") else None)
    assert made.shape == frames.shape
    assert made.dtype == np.uint8
    assert len(np.unique(made)) > 1 or kind == "canny"


def test_grey_has_the_weights_of_bt_601() -> None:
    frames = np.eye(3, dtype=np.uint8)[None, None] * np.uint8(255)
    assert pictures("gray", frames)[0, 0].tolist() == [[76] * 3, [150] * 3, [29] * 3]


def test_edges_have_a_brightness_and_thresholds() -> None:
    square = np.zeros((1, 24, 24, 3), np.uint8)
    square[0, 8:16, 8:16] = 255
    assert np.array_equal(pictures("canny", square), canny(square) * 255)
    assert set(np.unique(pictures("canny", square, canny_intensity=0.5))) == {0, 128}
    assert not pictures("canny", square, canny_high=2000).any()


def test_lines_of_a_network_are_drawn_as_they_are_or_as_edges() -> None:
    frames = moving(2)
    drawn = pictures("scribble", frames, Networks())
    assert np.array_equal(drawn[..., 0], frames[..., 1])
    edges = pictures("canny", frames, Networks())
    assert np.array_equal(edges[..., 2], np.where(frames[..., 1] < 127.5, 255, 0))


def test_parts_of_people_are_drawn_as_asked() -> None:
    frames = np.zeros((1, 96, 64, 3), np.uint8)
    made = pictures("pose", frames, Networks(), pose_parts=("body",))
    assert np.array_equal(made[0], draw_people(person(64, 96), (64, 96), ("body",)))
    assert not np.array_equal(made, pictures("pose", frames, Networks(), pose_parts=("body", "hands")))


def test_a_network_takes_the_place_of_the_flow_without_weights() -> None:
    def flow(first: Frames, second: Frames) -> np.ndarray:
        return (as_float(second) - as_float(first))[..., :2] * 100

    frames = moving(3)
    assert not np.array_equal(pictures("flow", frames), pictures("flow", frames, flow))
