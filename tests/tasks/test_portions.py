"""Portions of a video in frames or seconds."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pydantic import ValidationError

from wangp_cli.errors import RequestError
from wangp_cli.tasks.edit import Edit
from wangp_cli.tasks.portions import check_plain_portion, check_portion, frames_of, prompt_of


def test_portions_are_bounded_too() -> None:
    with pytest.raises(ValidationError, match="is not START-END"):
        Edit.model_validate({"model": "m", "video": "v.mp4", "portions": ["1-" + "9" * 5000]})


@pytest.mark.parametrize(
    ("text", "first", "last", "prompt"),
    [("16-33", 16, 33, ""), ("1s-2.5s", 16, 39, ""), ("0-4: a dog: red ", 0, 4, "a dog: red")],
)
def test_a_portion_is_frames_and_a_prompt(text: str, first: int, last: int, prompt: str) -> None:
    found = frames_of("portion", check_portion(text), Fraction(16))
    assert (found.first, found.last, prompt_of(text)) == (first, last, prompt)


def test_seconds_shorter_than_a_frame_are_refused() -> None:
    with pytest.raises(RequestError, match="has no frames at 16 fps"):
        frames_of("portion", "1s-1.01s", Fraction(16))


@pytest.mark.parametrize("text", ["16", "1s-33", "1.5-2", "a-b", "1-2:a prompt"])
def test_what_is_no_plain_portion_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not START-END"):
        check_plain_portion(text)
