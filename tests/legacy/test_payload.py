from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.payloads import EDIT, JOIN, JUNK, KEYS, PHASES, TRAVEL, line, row, task_of
from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate_values
from wangp_cli.legacy.payload import BOOKKEEPING, NESTS, NeutralOnly
from wangp_cli.legacy.task_types import PAYLOADS
from wangp_cli.tasks import TASKS

UNI3C = {"structure_type": "uni3c", "structure_video_path": "a.mp4"}


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


@pytest.mark.parametrize(
    ("kind", "details", "field", "words"),
    [
        ("travel_orchestrator", {"segment_frames_expnded": [1]}, "segment_frames_expnded", "no such key"),
        ("travel_orchestrator", {"segment_frames_expanded": ["x", 81]}, "segment_frames_expanded", "item 1"),
        ("travel_orchestrator", {"segment_frames_expanded": [81] * 3}, "segment_frames_expanded", "3 values"),
        ("travel_orchestrator", {"input_image_paths_resolved": [1]}, "input_image_paths_resolved", "no file"),
        ("travel_orchestrator", {"num_new_segments_to_generate": 9999}, "num_new_segments_to_generate", ""),
        ("travel_orchestrator", {"structure_videos": [{"path": "a", "type": "x"}]}, "structure_type", "'x'"),
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
        ("edit_video_orchestrator", {"source_video_fps": 24, "force_fps": 9}, "source_video_fps", "says 9"),
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
NEEDED |= {"portions_to_regenerate", "inpaint_end_frame", "video", "input_image_path"}
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
