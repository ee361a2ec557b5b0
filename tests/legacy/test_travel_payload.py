"""Payloads of travels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.payloads import HIGH, LOW, PHASES, TRAVEL, line, row, task_of
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.travel import Travel


def test_a_travel_keeps_its_parts() -> None:
    found = line(row("travel_orchestrator", TRAVEL))
    assert found.values == {
        "type": "travel",
        "task_id": "8d36d4e2-4f57",
        "model": "vace_14B",
        "images": ["/in/0.png", "/in/1.png", "/in/2.png"],
        "frames": [81, 65],
        "overlap": [10],
        "prompt": ["a dog", "two cats"],
        "mode": "chained",
        "size": "902x508",
        "fps": 16,
        "seed": 789,
        "part_saturation": 1,
        "part_brightness": 0,
    }
    assert found.notices == ("main_output_dir_for_run: results go below the batch's output folder",)
    assert task_of(found).type == "travel"
    assert found.given_as.keys() <= set(TASKS["travel"].model_fields)


def test_words_around_prompts_and_what_to_keep_out_stay_with_their_parts() -> None:
    more: dict[str, Any] = {"text_before_prompts": "oil ", "text_after_prompts": "at night"}
    more |= {"base_prompt": "a fox"}
    more |= {
        "base_prompts_expanded": ["", ""],
        "negative_prompts_expanded": ["blur", ""],
        "negative_prompt": "x",
    }
    found = line(row("travel_orchestrator", TRAVEL | more)).values
    assert found is not None
    assert (found["text_before"], found["text_after"]) == ("oil", "at night")
    assert (found["prompt"], found["negative_prompt"]) == (["a fox", "two cats"], ["blur", "x"])


def test_a_continued_video_meets_the_first_part_as_the_first_two_meet() -> None:
    more = {"continue_from_video_resolved_path": "v.mp4", "input_image_paths_resolved": ["1.png", "2.png"]}
    found = line(row("travel_orchestrator", TRAVEL | more))
    assert found.values is not None
    assert (found.values["video_source"], found.values["overlap"]) == ("/in/v.mp4", [10, 10])
    assert task_of(found)
    wrong = line(row("travel_orchestrator", TRAVEL | {"continue_from_video_resolved_path": "v.mp4"}))
    assert "3 pictures, but 2 segments behind a video have 2" in str(wrong.error)


@pytest.mark.parametrize(
    ("more", "mode"),
    [
        ({}, "chained"),
        ({"chain_segments": False}, "independent"),
        ({"chain_segments": None, "independent_segments": True}, "independent"),
        ({"chain_segments": None, "independent_segments": False}, "chained"),
        ({"model_type": "i2v"}, "independent"),
    ],
)
def test_segments_continue_each_other_where_they_did(more: dict[str, Any], mode: str) -> None:
    found = line(row("travel_orchestrator", TRAVEL | more)).values
    assert found is not None
    assert found["mode"] == mode
    assert ("overlap" in found) == (mode == "chained")


def test_frames_of_the_part_before_look_as_they_did() -> None:
    said = {
        "subsequent_starting_strength_adjustment": -0.25,
        "desaturate_subsequent_starting_frames": 0.25,
        "adjust_brightness_subsequent_starting_frames": 0.5,
        "after_first_post_generation_saturation": 0.8,
        "after_first_post_generation_brightness": 0.1,
        "debug_mode_enabled": True,
    }
    task = task_of(line(row("travel_orchestrator", TRAVEL | said))).model_dump()
    names = (
        "context_strength",
        "context_saturation",
        "context_brightness",
        "part_saturation",
        "part_brightness",
    )
    assert [task[name] for name in names] == [0.75, 0.75, -0.5, 0.8, 0.1]
    assert task["keep_intermediates"]


def test_addresses_of_loras_stay_to_be_fetched() -> None:
    found = line(
        row("travel_orchestrator", TRAVEL | {"phase_config": PHASES, "additional_loras": {LOW: 0.3}})
    )
    assert found.values is not None
    assert found.values["loras"] == [f"{HIGH}@1.20;0.9,0.5;0", f"{LOW}@0;0;1"]


@pytest.mark.parametrize(
    ("details", "strengths"),
    [
        ({}, None),
        ({"svi_strength": 0.5}, "0.5;0 0;0.5 0.6;0 0;0.5|"),
        ({"svi_strength_1": 0.7}, "0.7;0 0;1 0.84;0 0;1|"),
        ({"svi_strength": 0.333, "svi_strength_1": 0.8}, "0.8;0 0;0.33 0.96;0 0;0.33|"),
        ({"svi_strength": 0.5, "additional_loras": {"ink": 0.3}}, "0.5;0 0;0.5 0.6;0 0;0.5|"),
    ],
)
def test_svi_is_a_mode_and_an_accelerator(details: dict[str, Any], strengths: str | None) -> None:
    found = line(row("travel_orchestrator", TRAVEL | {"use_svi": True, "model_type": "i2v"} | details))
    assert found.values is not None
    assert (found.values["mode"], found.values["accelerator"]) == ("svi", "svi")
    said = found.values.get("lora_multipliers")
    assert (said.replace(" |", "|") if said else said) == strengths
    assert "overlap" not in found.values
    task = task_of(found)
    assert isinstance(task, Travel)
    assert len(task.accelerator_strengths()) == (4 if strengths else 0)


def test_a_phase_config_may_ask_for_svi() -> None:
    found = line(row("travel_orchestrator", TRAVEL | {"phase_config": PHASES | {"svi2pro": True}}))
    assert found.values is not None
    assert (found.values["mode"], "accelerator" in found.values) == ("svi", False)
