"""Payloads of single segments of a travel."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.payloads import TRAVEL, line, row


def test_a_segment_says_less_than_its_travel_and_beats_it() -> None:
    own = {"num_frames": 29, "base_prompt": "a hen", "seed_to_use": 42, "start_image_url": "s.png"}
    found = line(
        row("individual_travel_segment", TRAVEL, segment_index=1, individual_segment_params=own)
    ).values
    assert found is not None
    assert (found["images"], found["frames"], found["prompt"]) == (["/in/s.png"], 29, ["a hen"])
    assert found["seed"] == 42
    plain = line(row("individual_travel_segment", TRAVEL, segment_index=1)).values
    assert plain is not None
    assert plain["images"] == ["/in/1.png", "/in/2.png"]
    assert (plain["frames"], plain["prompt"], plain["seed"]) == (65, ["two cats"], 789)


def test_a_segment_that_continues_another_is_refused() -> None:
    found = line(row("travel_segment", TRAVEL, segment_index=1))
    assert found.error is not None
    assert found.error.field == "segment_index"
    assert line(row("travel_segment", TRAVEL | {"chain_segments": False}, segment_index=1)).values


LISTS = {"base_prompt": "all", "base_prompts_expanded": ["one", "two"], "segment_frames_expanded": [81, 65]}


def segment(details: dict[str, Any], **top: Any) -> dict[str, Any]:
    found = line(row("individual_travel_segment", TRAVEL | LISTS | details, **{"segment_index": 1, **top}))
    assert found.values is not None, found.error
    return found.values


@pytest.mark.parametrize(
    ("details", "top", "prompt"),
    [
        ({"enhanced_prompts_expanded": ["", "best"]}, {}, "best"),
        ({"enhanced_prompts_expanded": ["best", ""]}, {}, "two"),
        ({"enhanced_prompts_expanded": ["", " "], "base_prompts_expanded": ["one", ""]}, {}, "all"),
        ({"enhanced_prompts_expanded": None, "base_prompts_expanded": None}, {}, "all"),
        ({"enhanced_prompts_expanded": [], "base_prompts_expanded": ["same"]}, {}, "same"),
        ({"enhanced_prompts_expanded": ["", ""]}, {"base_prompt": " "}, "two"),
        ({"enhanced_prompts_expanded": ["", "best"]}, {"base_prompt": "own"}, "own"),
        ({"enhanced_prompts_expanded": []}, {"base_prompts_expanded": ["a", "b"]}, "b"),
        ({"enhanced_prompts_expanded": []}, {"individual_segment_params": {"base_prompt": "mine"}}, "mine"),
    ],
)
def test_a_prompt_is_the_enhanced_else_the_expanded_else_the_shared_one(
    details: dict[str, Any], top: dict[str, Any], prompt: str
) -> None:
    assert segment(details, **top)["prompt"] == [prompt]


@pytest.mark.parametrize(
    ("top", "frames"),
    [
        ({}, 65),
        ({"segment_frames_target": 49}, 49),
        ({"segment_frames_target": 49, "num_frames": 33}, 33),
        ({"num_frames": 33, "individual_segment_params": {"num_frames": 29}}, 29),
        ({"num_frames": 0, "segment_frames_target": 49}, 49),
    ],
)
def test_the_length_of_the_segment_itself_beats_the_list_of_its_travel(
    top: dict[str, Any], frames: int
) -> None:
    assert segment({}, **top)["frames"] == frames


def test_a_negative_prompt_is_that_of_the_segment_else_of_the_travel() -> None:
    lists = {"negative_prompt": "blur", "negative_prompts_expanded": ["", "rain"]}
    assert segment(lists)["negative_prompt"] == "rain"
    assert segment(lists, segment_index=0)["negative_prompt"] == "blur"
    assert segment(lists, negative_prompt="snow")["negative_prompt"] == "snow"
