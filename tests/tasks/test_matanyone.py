"""Values of the `matanyone` task: what marks objects, which frames are used, which files are written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from wangp_cli.errors import RequestError
from wangp_cli.tasks.matanyone import Matanyone
from wangp_cli.tasks.shape import Shape

VIDEO = Shape(64, 48, Fraction(16), 20)
SHAPES = {"video": [VIDEO]}


def task(**values: object) -> Matanyone:
    given = values if {"points", "text", "box"} & values.keys() else {"mask": "m.png", **values}
    return Matanyone.model_validate({"type": "matanyone", "video": "a.mp4", **given})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mask": ()}, "mask: missing, give a mask, a point, a box or text"),
        ({"mask": "m.png", "points": "1,2"}, "mask: not together with points"),
        ({"points": "1,2", "text": "a cat"}, "text: not together with points"),
        ({"mask": ("a.png", "b.png"), "mask_labels": 2}, "mask_labels: with one mask only"),
        ({"mask": ("a.png", "b.png"), "key_masks": "c.png", "key_frames": 3}, "key_mask: with one mask only"),
        ({"key_masks": "c.png"}, "key_mask: 1 masks for 0 frames"),
        ({"key_masks": ("a.png", "b.png"), "key_frames": (3, 3)}, "key_frame: a frame is given twice"),
        ({"points": "1"}, "'1' is not X,Y in pixels"),
        ({"box": "1,2,3"}, "'1,2,3' is not LEFT,TOP,RIGHT,BOTTOM in pixels"),
    ],
)
def test_what_marks_an_object_is_clear(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as error:
        task(**values)
    assert words in str(error.value)


def test_points_outside_of_an_object_alone_mark_nothing() -> None:
    with pytest.raises(ValidationError, match="point_outside: alone it marks no object"):
        Matanyone.model_validate({"type": "matanyone", "video": "a.mp4", "points_outside": "1,2"})


def test_blank_words_name_nothing() -> None:
    with pytest.raises(ValidationError, match="text: is empty"):
        Matanyone.model_validate({"type": "matanyone", "video": "a.mp4", "text": " "})


def test_the_end_frame_is_not_used() -> None:
    assert task(start_frame=4, end_frame=9).frames_of(VIDEO) == range(4, 9)
    assert task(start_frame=4).result_shape(SHAPES).frames == 16


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"end_frame": 21}, "end_frame: 21, but the input has 20 frames"),
        ({"start_frame": 20}, "start_frame: 20 to 20, must begin before it ends"),
        ({"start_frame": 5, "end_frame": 5}, "end_frame: 5 to 5, must begin before it ends"),
    ],
)
def test_frames_that_the_video_does_not_have_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        task(**values).result_shape(SHAPES)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"points": "64,3"}, "points: 64,3 is outside of the input, 64x48"),
        ({"points": "3,4", "points_outside": "3,48"}, "points_outside: 3,48 is outside of the input"),
        ({"box": "3,4,65,9"}, "box: 64,8 is outside of the input"),
        ({"box": "9,4,3,9"}, "box: 9,4,3,9 is empty"),
        ({"key_masks": "k.png", "key_frames": 20}, "key_frames: 20, must be 1 to 19"),
        ({"key_masks": "k.png", "key_frames": 3, "start_frame": 3}, "key_frames: 3, must be 4 to 19"),
        ({"key_masks": "k.png", "key_frames": 1, "end_frame": 1}, "key_frames: 1, but there is one frame"),
    ],
)
def test_places_outside_of_the_video_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        task(**values).check_inputs(SHAPES, frozenset())


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(RequestError, match="mask: 64x64 has another shape than the input, 64x48"):
        task().check_inputs(SHAPES | {"mask": [Shape(64, 64)]}, frozenset())
    assert task().check_inputs(SHAPES | {"mask": [Shape(128, 96)]}, frozenset()) == []


def test_values_that_are_not_used_are_told() -> None:
    given = frozenset({"segmenter", "each_object", "audio"})
    notices = task(engine="classic").check_inputs({"video": [Shape(64, 48)]}, given)
    assert {notice.field for notice in notices if notice.unused} == given


@pytest.mark.parametrize(
    ("architectures", "unread"),
    [
        ({}, {"warmup_frames"}),
        ({"engine": "matanyone", "refiner": "vitmatte"}, set()),
        ({"engine": "sam2"}, {"warmup_frames", "max_size"}),
    ],
)
def test_what_an_engine_does_not_read_is_told(architectures: dict[str, str], unread: set[str]) -> None:
    assert task(engine="x").unread_by(architectures).keys() == unread


def test_engines_are_those_that_are_used() -> None:
    assert set(task().engines()) == {"engine"}
    assert set(task(points="1,2", refiner="auto").engines()) == {"engine", "segmenter", "refiner"}
    assert task(text="a person").engines()["segmenter"].architectures == ("sam3",)


def test_files_beside_the_result() -> None:
    result = Path("out/a.mov")
    assert task().files_beside(result) == (Path("out/a_alpha.mov"),)
    assert task(mask_type="alpha").files_beside(result)[1:] == (Path("out/a_rgba.zip"),)
    assert task(mask_type="alpha", archive="folder").folders_beside(result) == (Path("out/a_rgba"),)
    each = task(mask=("a.png", "b.png"), each_object=True).files_beside(result)
    assert each[1:] == (Path("out/a_alpha_1.mov"), Path("out/a_alpha_2.mov"))
