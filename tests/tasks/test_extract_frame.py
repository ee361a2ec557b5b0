"""Frames of a video by index or time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from wangp_cli.errors import RequestError
from wangp_cli.tasks.extract_frame import ExtractFrame

FILM = Fraction(24000, 1001)


def task(*frame: int | str) -> ExtractFrame:
    return ExtractFrame(video=Path("a.mp4"), frame=frame)


@pytest.mark.parametrize(
    ("position", "index"),
    [(0, 0), (47, 47), (-1, 47), (-48, 0), ("0s", 0), ("1s", 23), ("1.001s", 24), ("1.000999s", 23)],
)
def test_a_position_is_an_index_from_either_end_or_the_time_of_a_frame(
    position: int | str, index: int
) -> None:
    assert task(position).indices(48, FILM) == [index]


@pytest.mark.parametrize("position", [48, -49, "2.002s", "999999999s"])
def test_a_frame_that_is_not_there_is_an_error(position: int | str) -> None:
    with pytest.raises(RequestError, match=f"{position}, but the video has 48 frames in 2.00 s"):
        task(position).indices(48, FILM)


@pytest.mark.parametrize("position", ["", "x", "-1s", "1.5", "1e3s", True, 1.5, "9" * 10])
def test_what_is_no_position_is_refused(position: object) -> None:
    with pytest.raises(ValidationError, match="neither an index such as 0"):
        ExtractFrame.model_validate({"video": "a.mp4", "frame": [position]})


def test_texts_of_the_command_line_are_positions() -> None:
    assert ExtractFrame.model_validate({"video": "a.mp4", "frame": ["-1", " 2s "]}).frame == (-1, "2s")
    assert ExtractFrame.model_validate({"video": "a.mp4", "frame": 7}).frame == (7,)


def test_each_frame_is_a_result_with_a_name_of_its_own() -> None:
    made = task(3, "1.5s")
    assert made.results == 2
    assert made.single(1).frame == ("1.5s",)
    assert made.name_fields(1) == {"type": "extract-frame", "input": "a", "frame": "1.5s"}
