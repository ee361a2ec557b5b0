"""What an upscaling says of its result before anything runs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.tasks.shape import ResultShape, Shape
from wangp_cli.tasks.upscale import Upscale

VIDEO = Shape(101, 60, Fraction(24000, 1001), 30, alpha=True)


def task(**values: Any) -> Upscale:
    return Upscale(video=Path("a.mp4"), **values)


def test_the_result_is_the_input_in_another_size() -> None:
    inputs = {"video": [VIDEO]}
    assert task().result_shape(inputs) == ResultShape((202, 120), 30, Fraction(24000, 1001), alpha=True)
    assert task(factor=1.5).result_shape(inputs).size == (152, 90)
    assert task(factor="1").result_shape(inputs).size == (101, 60)
    assert task(size="333x111").result_shape(inputs).size == (333, 111)
    assert task().result_shape({"video": [Shape(10, 10)]}) == ResultShape((20, 20))


def test_a_size_out_of_range_is_refused() -> None:
    with pytest.raises(RequestError, match="factor: 4000x300 makes 16000x1200"):
        task(factor="4").result_shape({"video": [Shape(4000, 300)]})


def test_an_engine_is_chosen_only_where_frames_become_larger() -> None:
    assert list(task().engines()) == list(task(size="64x64").engines()) == ["engine"]
    assert task(factor="1").engines() == {}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"factor": "3", "size": "202x120"}, ["factor: not used, the size is given"]),
        ({"size": "100x100"}, ["size: 101x60 is stretched to 100x100"]),
        ({"factor": "1", "engine": "lanczos"}, ["engine: not used, no frame becomes larger"]),
        (
            {"film_grain_saturation": 1, "seed": 3},
            [f"{field}: not used, there is no film grain" for field in ("film_grain_saturation", "seed")],
        ),
        ({"film_grain_intensity": 0.1, "seed": 3}, []),
        ({"colour_match": 0.5}, ["colour_match: not used, there is no image to match"]),
        ({"colour_match": 0.5, "image_end": Path("b.png")}, []),
    ],
)  # fmt: skip
def test_values_that_are_not_used_and_a_changed_shape_are_told(
    values: dict[str, Any], told: list[str]
) -> None:
    notices = task(**values).check_inputs({"video": [VIDEO]}, frozenset(values))
    assert [str(notice) for notice in notices] == told
