"""The fields of an inpainting."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.errors import RequestError
from wangp_cli.tasks.inpaint import Inpaint
from wangp_cli.tasks.shape import Shape


def inpaint(**said: Any) -> Inpaint:
    return Inpaint.model_validate({"model": "m", "video": "v.mp4", "prompt": "a"} | said)


def test_frames_to_inpaint_are_those_of_the_portion_or_all() -> None:
    assert inpaint(portion="16-33").range_of(81, Fraction(16)) == range(16, 34)
    assert inpaint(image_mask=Path("m.png")).range_of(81, Fraction(16)) == range(81)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "say what to inpaint"),
        ({"image_mask": "m.png", "video_mask": "m.mp4"}, "not together with video_mask"),
        ({"image_mask": "m.png", "sharpen": 0.5}, "sharpen: not together with a mask"),
    ],
)
def test_a_region_is_needed_and_only_one(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        inpaint(**said)


def test_a_mask_has_the_shape_of_the_video() -> None:
    task, video = inpaint(image_mask="m.png"), [Shape(832, 480)]
    assert task.check_shapes({"video": video, "image_mask": [Shape(416, 240)]}, sized=False) == []
    with pytest.raises(RequestError, match="has another shape than the video"):
        task.check_shapes({"video": video, "image_mask": [Shape(480, 832)]}, sized=False)
