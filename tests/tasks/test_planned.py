"""What tasks of several parts share."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.support import tiny
from wangp_cli.errors import RequestError
from wangp_cli.tasks.travel import Travel


def travel(**said: Any) -> Travel:
    return Travel.model_validate({"model": "m"} | said)


def test_lists_have_a_value_for_each_part() -> None:
    travel(prompt=["a", "b"], part_seeds=[3]).check_parts(2, "part")
    with pytest.raises(RequestError) as caught:
        travel(prompt=["a", "b"], part_seeds=[3, 4, 5]).check_parts(2, "part")
    assert caught.value.field == "part_seeds"


def test_texts_around_prompts_are_part_of_all_prompts() -> None:
    task = travel(prompt=["a fox", "a hen"], text_before="oil", text_after="at night")
    assert task.all_prompts == "oil a fox a hen at night"


def test_the_video_that_shows_how_a_result_was_made_is_beside_it() -> None:
    assert travel().files_beside(Path("out/a.mkv")) == ()
    assert travel(visualize=True).files_beside(Path("out/a.mkv")) == (Path("out/a_visualization.mp4"),)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"loras": ["a"], "part_lora_factors": ["1 0"]}, "has 2 numbers, wanted 1"),
        ({"part_phases": ["guidance_phases=2"]}, "number 0: switch_threshold: is needed"),
        ({"loras": ["a"], "part_phases": ["lora_multipliers='1 1'"]}, "2 strengths for 1 LoRAs"),
    ],
)
def test_what_a_part_cannot_have_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        travel(**said)


def test_values_of_parts_that_one_run_makes_are_told() -> None:
    task = travel(
        images=["a", "b", "c"],
        frames=9,
        longest=41,
        part_seeds=[1, 2],
        part_phases=["steps=4", "steps=4"],
        video_guide="g",
        guide_range="0-99",
    )
    plan = task.plan({"video_guide": [40]}, tiny.spec("vace"), Fraction(16))
    assert [str(notice) for notice in task.plan_notices(plan)] == [
        "part_seeds: that of part 1 serves 1 more, which one run makes together",
        "guide_range: '0-99' ends with the result, at frame 17",
    ]


def test_an_empty_path_names_no_file() -> None:
    for values in ({"images": [""]}, {"video_guide": ""}, {"video_source": ""}):
        with pytest.raises(ValidationError, match="an empty path, name a file"):
            travel(**values)
