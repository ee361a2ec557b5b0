from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.payloads import JUNK, KEYS, TRAVEL, line, row, task_of
from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate_values
from wangp_cli.legacy.payload import BOOKKEEPING, NESTS, NeutralOnly
from wangp_cli.legacy.task_types import PAYLOADS
from wangp_cli.runtime.intake.json_tasks import LineContext, lines_of
from wangp_cli.tasks import TASKS

JOIN: dict[str, Any] = {
    "run_id": "1",
    "clip_list": [{"url": "a.mp4", "name": "a"}, {"url": "b.mp4"}, {"url": "c.mp4"}],
    "model": "vace_14B",
    "resolution": [832, 480],
    "fps": 16,
    "context_frame_count": 4,
    "gap_frame_count": 23,
    "replace_mode": True,
}
HIGH, LOW = "https://hub.example.org/high.safetensors", "https://hub.example.org/low.safetensors"
PHASES: dict[str, Any] = {
    "mode": "vace",
    "num_phases": 3,
    "steps_per_phase": [2, 2, 2],
    "flow_shift": 5,
    "sample_solver": "euler",
    "model_switch_phase": 2,
    "phases": [
        {"phase": 1, "guidance_scale": 3, "loras": [{"url": HIGH, "multiplier": "1.20"}]},
        {"phase": 2, "loras": [{"url": HIGH, "multiplier": "0.9,0.5"}]},
        {"phase": 3, "guidance_scale": 1, "loras": [{"url": LOW, "multiplier": 1}, {"url": ""}]},
    ],
}
UNI3C = {"structure_type": "uni3c", "structure_video_path": "a.mp4"}
EDIT: dict[str, Any] = {
    "source_video_url": "a.mp4",
    "source_video_fps": 24,
    "source_video_total_frames": 164,
    "portions_to_regenerate": [
        {"start_frame": 16, "end_frame": 33, "prompt": "a dog: red", "start_time": 1.0},
        {"start_frame": 49, "end_frame": 66},
    ],
    "model": "vace_14B",
    "prompt": "a cat",
}


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


def test_what_is_said_at_the_top_beats_the_nests() -> None:
    older = {"seed_base": 1, "fps_helpers": 8}
    found = line(
        {
            "task_type": "travel_orchestrator",
            "full_orchestrator_payload": TRAVEL | older,
            "orchestrator_details": {"seed_base": 2, "guidance_scale": 3},
            "guidance_scale": 4,
            "flow_shift": None,
        }
    ).values
    assert found is not None
    assert (found["seed"], found["fps"], found["guidance_scale"]) == (2, 8, 4)


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


def test_a_join_has_what_its_clips_share_and_what_one_join_says() -> None:
    found = line(row("join_clips_orchestrator", JOIN | {"per_join_settings": [{}, {"gap_frame_count": 9}]}))
    assert found.values is not None
    assert found.values["clips"] == ["/in/a.mp4", "/in/b.mp4", "/in/c.mp4"]
    assert (found.values["gap"], found.values["context"]) == ([23, 9], [4, 4])
    assert found.values["mode"] == ["replace", "replace"]
    assert (found.values["size"], found.values["fps"]) == ("832x480", 16)
    assert task_of(found)
    of_clips = JOIN | {"use_input_video_resolution": True, "use_input_video_fps": True}
    assert not (line(row("join_clips_orchestrator", of_clips)).values or {}).keys() & {"size", "fps"}


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


def test_one_join_may_replace_where_others_insert() -> None:
    own = [{"replace_mode": False, "negative_prompt": "blur"}, {}]
    found = line(row("join_clips_orchestrator", JOIN | {"per_join_settings": own})).values
    assert found is not None
    assert (found["mode"], found["negative_prompt"]) == (["insert", "replace"], ["blur", ""])


def test_a_join_that_names_no_model_has_the_older_worker_s_unless_a_flag_names_one() -> None:
    payload = row("join_clips_orchestrator", JOIN | {"model": None})
    assert (line(payload).values or {})["model"] == "wan_2_2_vace_lightning_baseline_2_2_2"
    (flagged,) = lines_of(payload, LineContext(source="t", folder=Path("/in"), given={"model"}))
    assert "model" not in (flagged.values or {})


def test_addresses_of_loras_stay_to_be_fetched() -> None:
    found = line(
        row("travel_orchestrator", TRAVEL | {"phase_config": PHASES, "additional_loras": {LOW: 0.3}})
    )
    assert found.values is not None
    assert found.values["loras"] == [f"{HIGH}@1.20;0.9,0.5;0", f"{LOW}@0;0;1"]


def test_a_join_of_two_names_both() -> None:
    pair = {"starting_video_path": "a.mp4", "ending_video_path": "b.mp4", "prompt": "a dog", "model": "x"}
    found = line({"task_type": "join_clips_segment", **pair, "max_wait_time": 9}).values
    assert found is not None
    assert (found["clips"], found["prompt"]) == (["/in/a.mp4", "/in/b.mp4"], ["a dog"])


@pytest.mark.parametrize(("replaces", "strength"), [(True, 0.7), (False, None)])
def test_a_join_starts_from_the_frames_it_replaces_if_it_replaces_any(
    replaces: bool, strength: float | None
) -> None:
    found = line(
        row("join_clips_orchestrator", JOIN | {"replace_mode": replaces, "vid2vid_init_strength": 0.7})
    )
    assert found.values is not None
    assert found.values.get("denoising_strength") == strength
    assert found.values["fit"] == "crop"
    assert task_of(found)


def test_portions_keep_their_prompts_and_their_length() -> None:
    found = line(row("edit_video_orchestrator", EDIT))
    assert found.values is not None
    assert found.values["portions"] == ["16-33:a dog: red", "49-66"]
    assert (found.values["fps"], "gap" in found.values) == (24, False)
    assert task_of(found)
    portions = [
        EDIT["portions_to_regenerate"][0] | {"gap_frame_count": 5},
        {"start_frame": 49, "end_frame": 66},
    ]
    more = line(
        row("edit_video_orchestrator", EDIT | {"portions_to_regenerate": portions, "replace_mode": True})
    )
    assert more.values is not None
    assert (more.values["gap"], more.values["keep_ends"]) == ([5, 16], True)


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
    assert len(task_of(found).accelerator_strengths()) == (4 if strengths else 0)


def test_a_phase_config_may_ask_for_svi() -> None:
    found = line(row("travel_orchestrator", TRAVEL | {"phase_config": PHASES | {"svi2pro": True}}))
    assert found.values is not None
    assert (found.values["mode"], "accelerator" in found.values) == ("svi", False)


def test_a_range_to_fill_is_painted() -> None:
    given = {"video_path": "a.mp4", "inpaint_start_frame": 45, "inpaint_end_frame": 61, "prompt": "a dog"}
    found = line({"task_type": "inpaint_frames", "model": "x", **given}).values
    assert found is not None
    assert (found["type"], found["portion"], found["prompt"]) == ("inpaint", "45-60", "a dog")


@pytest.mark.parametrize(
    ("kind", "details", "field", "words"),
    [
        ("travel_orchestrator", {"segment_frames_expnded": [1]}, "segment_frames_expnded", "no such key"),
        ("travel_orchestrator", {"segment_frames_expanded": ["x", 81]}, "segment_frames_expanded", "item 1"),
        ("travel_orchestrator", {"segment_frames_expanded": [81] * 3}, "segment_frames_expanded", "3 values"),
        ("travel_orchestrator", {"input_image_paths_resolved": [1]}, "input_image_paths_resolved", "no file"),
        ("travel_orchestrator", {"num_new_segments_to_generate": 9999}, "num_new_segments_to_generate", ""),
        ("travel_orchestrator", {"structure_videos": [{"path": "a.mp4"}]}, "structure_type", "'flow'"),
        ("travel_orchestrator", UNI3C, "structure_type", "uni3c"),
        ("travel_orchestrator", {"phase_config": {"phases": [{}]}}, "phase_config", "describes 1"),
        ("join_clips_orchestrator", {"phase_config": {"svi2pro": True}}, "phase_config", "svi2pro"),
        ("travel_orchestrator", {"svi_predecessor_video_url": "a.mp4"}, "svi_predecessor_video_url", "whole"),
        ("travel_orchestrator", {"enhance_prompt": True}, "enhance_prompt", "language model"),
        ("travel_orchestrator", {"use_svi": 2}, "use_svi", "neither true nor false"),
        ("travel_orchestrator", {"use_uni3c": True}, "use_uni3c", "not served"),
        ("travel_orchestrator", {"regenerate_anchors": True}, "regenerate_anchors", "not served"),
        ("travel_orchestrator", {"parsed_resolution_wh": "big"}, "parsed_resolution_wh", "WIDTHxHEIGHT"),
        ("travel_orchestrator", {"fps_helpers": 5000}, "fps_helpers", "out of range"),
        ("travel_orchestrator", {"num_inference_steps": 0}, "num_inference_steps", "too small"),
        ("join_clips_orchestrator", {"clip_list": [{"name": "a"}]}, "clip_list", "item 1: has no url"),
        ("join_clips_orchestrator", {"clip_list": [{"urll": "a"}]}, "clip_list", "did you mean url"),
        ("join_clips_orchestrator", {"per_join_settings": [{}] * 3}, "per_join_settings", "2 joins"),
        ("join_clips_orchestrator", {"loop_first_clip": True}, "loop_first_clip", "not served"),
        ("join_clips_orchestrator", {"aspect_ratio": "1:1", "resolution": None}, "aspect_ratio", "without"),
        ("edit_video_orchestrator", {"portions_to_regenerate": [{}]}, "portions_to_regenerate", "has no"),
        ("join_clips_segment", {}, "starting_video_path", "another task"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_its_key(kind: str, details: dict[str, Any], field: str, words: str) -> None:
    base = {"travel_orchestrator": TRAVEL, "join_clips_orchestrator": JOIN, "edit_video_orchestrator": EDIT}
    found = line(row(kind, base.get(kind, {}) | details))
    error = found.error
    if error is None:
        with pytest.raises(RequestError) as caught:
            task_of(found)
        error = caught.value
    assert error.field == field
    assert words in f"{error.message} {error.hint}"


def test_a_row_that_cannot_be_read_keeps_its_name() -> None:
    assert line(row("travel_orchestrator", TRAVEL | {"use_uni3c": True})).task_id == "8d36d4e2-4f57"


def test_a_segment_that_continues_another_is_refused() -> None:
    found = line(row("travel_segment", TRAVEL, segment_index=1))
    assert found.error is not None
    assert found.error.field == "segment_index"
    assert line(row("travel_segment", TRAVEL | {"chain_segments": False}, segment_index=1)).values


def test_a_row_of_a_database_keeps_its_parameters_as_text() -> None:
    pair = '{"starting_video_path": "a.mp4", "ending_video_path": "b.mp4"}'
    assert line({"task_type": "join_clips_segment", "params": pair}).values
    broken = line({"task_type": "join_clips_segment", "params": "{"})
    assert broken.error is not None
    assert broken.error.field == "params"


def words_of(kind: str) -> list[str]:
    return [
        *PAYLOADS[kind].keys,
        *BOOKKEEPING,
        *KEYS,
        "model",
        "size",
        "task_id",
        "individual_segment_params",
    ]


PLAUSIBLE = st.sampled_from(
    [
        PHASES,
        {"path": "a.mp4", "structure_type": "raw"},
        [{"path": "a.mp4", "start_frame": 5, "end_frame": 9, "structure_type": "canny"}],
        *(TRAVEL | JOIN | EDIT).values(),
        {},
        [],
        [{}],
        ["a"],
        "832x480",
        0,
        1,
        81,
        True,
        [81],
    ]
)


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    """A payload of any kind: a good one with keys gone, changed, added, and put at any height."""
    kind = draw(st.sampled_from(sorted(PAYLOADS)))
    base = draw(st.sampled_from([TRAVEL, JOIN, EDIT, {}]))
    details = {key: value for key, value in base.items() if draw(st.integers(0, 9))}
    keys = st.sampled_from(words_of(kind)) | st.sampled_from(["", "clip_lst", "a b"])
    details |= draw(st.dictionaries(keys, JUNK | PLAUSIBLE, max_size=4))
    top = draw(st.dictionaries(keys, JUNK | PLAUSIBLE, max_size=2))
    nest = draw(st.sampled_from(NESTS))
    return top | {"task_type": kind, nest: draw(st.just(details) | JUNK)}


NEEDED = {"starting_video_path", "ending_video_path", "source_video_url", "video_path", "start_image_url"}
NEEDED |= {"portions_to_regenerate", "inpaint_end_frame"}
"""Keys that an error may name though they are not there."""


def said_in(value: Any) -> set[str]:
    """Every key, at any height."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set(value if isinstance(value, dict) else ()).union(*map(said_in, parts))


@given(payloads())
def test_whatever_a_payload_holds_it_is_a_task_or_an_error_that_names_a_key(payload: dict[str, Any]) -> None:
    found = line(payload)
    error = found.error
    if error is None:
        try:
            assert task_of(found).type in TASKS
        except RequestError as refused:
            error = refused
    if error is None:
        return
    named = {*said_in(payload), *NEEDED}
    assert error.field in named | set(map(ascii, named)), error.message
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        ("travel_orchestrator", TRAVEL),
        ("travel_segment", TRAVEL),
        ("individual_travel_segment", TRAVEL),
        ("join_clips_orchestrator", JOIN),
        ("join_clips_segment", {"starting_video_path": "a.mp4", "ending_video_path": "b.mp4"}),
        ("edit_video_orchestrator", EDIT),
        ("inpaint_frames", {"video_path": "a.mp4", "inpaint_start_frame": 4, "inpaint_end_frame": 9}),
    ],
)
def test_keys_that_ask_for_nothing_change_nothing(kind: str, good: dict[str, Any]) -> None:
    neutral = {name: key.values for name, key in PAYLOADS[kind].keys.items() if isinstance(key, NeutralOnly)}
    idle = dict.fromkeys(BOOKKEEPING, "x") | {name: values[0] for name, values in neutral.items() if values}
    whole = {"task_type": kind, "orchestrator_details": good}
    own = good if kind in ("join_clips_segment", "inpaint_frames") else {}
    assert translate_values(whole | own | idle) == translate_values(whole | own)
