"""Payloads of tools."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from tests.support.payloads import line, task_of
from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate
from wangp_cli.tasks.rife import Rife
from wangp_cli.tasks.shape import Shape


def frame(**values: Any) -> dict[str, Any]:
    return {"task_type": "extract_frame", **values}


@pytest.mark.parametrize("index", [0, 12, -1])
def test_a_frame_is_taken_of_a_file(index: int) -> None:
    found = line(frame(video="a.mp4", frame_index=index)).values
    assert found == {"type": "extract-frame", "video": "/in/a.mp4", "frame": index}


def test_the_first_frame_is_the_default() -> None:
    assert translate(frame(video="a.mp4", run_id="7")).values == {"type": "extract-frame", "video": "a.mp4"}


def test_an_earlier_task_is_no_file() -> None:
    with pytest.raises(RequestError) as told:
        translate(frame(input_video_task_id="7f3a", frame_index=3))
    assert told.value.message == (
        "input_video_task_id: '7f3a' is a task of the older worker, whose video is not known here"
    )
    assert told.value.hint == "give its file as `video`"
    made = translate(frame(input_video_task_id="7f3a", video="a.mp4"))
    assert made.notices == ("input_video_task_id: not used, video is given",)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("generate_openpose", {"kind": "pose", "pose_parts": ["body", "hands", "face"]}),
        ("generate_depth", {"kind": "depth"}),
    ],
)
def test_control_pictures_are_of_a_file(kind: str, fields: dict[str, Any]) -> None:
    found = line({"task_type": kind, "input_image_path": "a.png", "run_id": "7"})
    assert found.values == {"type": "preprocess", "video": "/in/a.png", **fields}
    assert task_of(found).type == "preprocess"
    with pytest.raises(RequestError, match="'7f' is a task of the older worker, whose image is not known"):
        translate({"task_type": kind, "input_image_task_id": "7f"})


def test_two_images_are_interpolated_to_exactly_the_frames_asked_for() -> None:
    found = line(
        {
            "task_type": "rife_interpolate_images", "input_image_path1": "a.png",
            "input_image_path2": "b.png", "frames": 7, "resolution": "640x480",
        }
    )  # fmt: skip
    assert found.values == {
        "type": "rife", "image_start": "/in/a.png", "image_end": "/in/b.png", "frames": 7, "size": "640x480",
    }  # fmt: skip
    task = task_of(found)
    assert isinstance(task, Rife)
    image = Shape(640, 480)
    shape = task.result_shape({"image_start": [image], "image_end": [image]})
    assert (shape.size, shape.frames, shape.fps) == ((640, 480), 7, Fraction(16))


@pytest.mark.parametrize(("key", "value"), [("frame_index", 1.5), ("frame_index", "x"), ("frame_indx", 1)])
def test_a_wrong_value_or_key_is_named(key: str, value: object) -> None:
    with pytest.raises(RequestError) as told:
        translate(frame(video="a.mp4", **{key: value}))
    assert told.value.field == key
