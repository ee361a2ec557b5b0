"""Points, boxes and text that mark an object."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.errors import RequestError
from wangp_cli.tasks.first_mask import FirstMask, numbers


def marks(**values: Any) -> FirstMask:
    return FirstMask.model_validate(values)


def test_coordinates_are_read_as_numbers() -> None:
    task = marks(points=["12, 30", "4.5,8"], points_outside="1,2", box=" 1,2, 30,40 ")
    assert [numbers(point) for point in task.points] == [(12, 30), (4.5, 8)]
    assert task.points_outside == ("1,2",)
    assert numbers(task.box or "") == (1, 2, 30, 40)
    assert task.marks_object
    assert not marks().marks_object


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"points": ["12"]}, "'12' is not X,Y, in pixels of the frame"),
        ({"points": ["1,2,3"]}, "'1,2,3' is not X,Y"),
        ({"points": ["-1,2"]}, "'-1,2' is not X,Y"),
        ({"points": ["a,b"]}, "'a,b' is not X,Y"),
        ({"box": "1,2,3"}, "'1,2,3' is not X0,Y0,X1,Y1"),
        ({"text": "cat", "points": ["1,2"]}, "text marks the object alone"),
        ({"points_outside": ["1,2"]}, "needs a --point on the object"),
        ({"text": ""}, "at least 1 character"),
    ],
)
def test_what_marks_nothing_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        marks(**values)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"points": ["80,3"]}, "points"),
        ({"points": ["3,48"]}, "points"),
        ({"points": ["3,3"], "points_outside": ["100,3"]}, "points_outside"),
        ({"box": "10,10,10,20"}, "box"),
        ({"box": "10,10,20,49"}, "box"),
    ],
)
def test_what_lies_outside_the_frame_is_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as error:
        marks(**values).check_marks(80, 48)
    assert error.value.field == field


def test_what_lies_within_the_frame_is_accepted() -> None:
    marks(points=["0,0", "79.5,47"], points_outside=["3,3"], box="0,0,80,48").check_marks(80, 48)


def test_text_asks_for_sam_3_and_points_take_either() -> None:
    assert marks().segmenter_engine() == {}
    assert marks(text="cat").segmenter_engine()["segmenter"].architectures == ("sam3",)
    assert marks(box="1,2,3,4").segmenter_engine()["segmenter"].architectures == ("sam2", "sam3")
