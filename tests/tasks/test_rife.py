"""Values of the `rife` task: how many frames at which rate they make."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.errors import RequestError
from wangp_cli.tasks.rife import Rife
from wangp_cli.tasks.shape import Shape

VIDEO = Shape(640, 480, Fraction(16), 81)
IMAGES: dict[str, Any] = {"image_start": "a.png", "image_end": "b.png"}


@pytest.mark.parametrize(
    ("values", "frames", "fps"),
    [
        ({}, 161, "32"),
        ({"factor": 1}, 81, "16"),
        ({"factor": 64}, 80 * 64 + 1, "1024"),
        ({"fps": "24"}, 121, "24"),
        ({"fps": "60000/1001"}, 300, "60000/1001"),
        ({"fps": "12"}, 61, "12"),
        ({"keep_fps": True, "factor": 4}, 321, "16"),
    ],
)
def test_frames_and_rate_of_a_video(values: dict[str, Any], frames: int, fps: str) -> None:
    shape = Rife(video="a.mp4", **values).result_shape({"video": [VIDEO]})
    assert (shape.size, shape.frames, shape.fps) == ((640, 480), frames, Fraction(fps))


@pytest.mark.parametrize(
    ("values", "frames", "fps"),
    [
        ({"frames": 9}, 9, "16"),
        ({"frames": 2}, 2, "16"),
        ({"frames": "2s", "fps": "30"}, 60, "30"),
        ({"factor": 8}, 9, "16"),
        ({}, 3, "16"),
    ],
)
def test_frames_and_rate_of_two_images(values: dict[str, Any], frames: int, fps: str) -> None:
    image = Shape(64, 48)
    shape = Rife(**IMAGES, **values).result_shape({"image_start": [image], "image_end": [image]})
    assert (shape.size, shape.frames, shape.fps) == ((64, 48), frames, Fraction(fps))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"video": "a.mp4", "factor": 0}, "greater than or equal to 1"),
        ({"video": "a.mp4", "factor": 65}, "less than or equal to 64"),
        ({"video": "a.mp4", "factor": 2, "fps": "60"}, "fps: not together with factor"),
        ({"video": "a.mp4", "keep_fps": True, "fps": "60"}, "keep_fps: not together with fps"),
        ({"video": "a.mp4", "frames": 9}, "frames: only between two images"),
        ({"video": "a.mp4", "scale": 0.3}, "0.3 is not one of 0.125, 0.25, 0.5, 1, 2, 4"),
        ({"video": "a.mp4", "image_end": "b.png"}, "image_end: not together with video"),
        ({"image_end": "b.png"}, "image_start: missing, give both images"),
        ({}, "video: missing, give a video, or image_start and image_end"),
        ({**IMAGES, "frames": 9, "factor": 2}, "frames: not together with factor"),
    ],
)
def test_values_that_do_not_fit_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Rife(**values)


def test_images_of_two_sizes_need_one_that_is_given() -> None:
    inputs = {"image_start": [Shape(64, 48)], "image_end": [Shape(64, 64)]}
    with pytest.raises(RequestError, match="is 64x64, but the first image is 64x48") as error:
        Rife(**IMAGES).check_inputs(inputs, frozenset())
    assert error.value.hint == "--size 64x48 fits both into one size"
    task = Rife(**IMAGES, size="32x32")
    assert task.check_inputs(inputs, frozenset()) == []
    assert task.result_shape(inputs).size == (32, 32)
    with pytest.raises(RequestError, match="must be 2 or more"):
        Rife(**IMAGES, size="32x32", frames=1).check_inputs(inputs, frozenset())


def test_what_a_value_does_not_do_is_told() -> None:
    video = Rife(video="a.mp4", size="64x64", factor=1).check_inputs({"video": [VIDEO]}, frozenset({"size"}))
    assert [str(notice) for notice in video] == [
        "size: not used, it is for two images",
        "factor: 1 makes no frames in between",
    ]
    slow = Rife(video="a.mp4", keep_fps=True).check_inputs({"video": [VIDEO]}, frozenset())
    assert [str(notice) for notice in slow] == ["keep_fps: lasts 2 times as long, without sound"]
    inputs = {"image_start": [Shape(64, 48)], "image_end": [Shape(64, 48)]}
    [images] = Rife(**IMAGES, hold_cuts=False).check_inputs(inputs, frozenset({"hold_cuts"}))
    assert (images.unused, str(images)) == (True, "hold_cuts: not used, it is for videos")
