from __future__ import annotations

from typing import Any

import pytest

from tests.support.payloads import TRAVEL, line, row, task_of
from wangp_cli.legacy.structure_guidance import _map_frame

VIDEO = {"path": "g.mp4", "structure_type": "canny"}


def guide(more: dict[str, Any]) -> dict[str, Any]:
    """What a travel says of guides."""
    found = line(row("travel_orchestrator", TRAVEL | more))
    assert found.values is not None, found.error
    assert task_of(found)
    return {
        key: value
        for key, value in found.values.items()
        if key.startswith(("video_guide", "guide", "control"))
    }


@pytest.mark.parametrize(
    "more",
    [
        {"structure_video_path": "g.mp4", "structure_type": "raw"},
        {
            "structure_video_path": "g.mp4",
            "structure_video_type": "raw",
            "structure_video_motion_strength": 1.25,
        },
        {"structure_videos": [{"path": "g.mp4", "structure_type": "raw"}]},
        {
            "structure_guidance": {
                "preprocessing": "none",
                "videos": [{"path": "g.mp4"}],
                "step_window": [0, 1],
            }
        },
    ],
)
def test_every_form_says_the_same(more: dict[str, Any]) -> None:
    assert guide(more) == {"video_guide": ["/in/g.mp4"], "guide_kind": "raw", "guide_timing": "fit"}


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({"structure_type": "canny", "structure_canny_intensity": 0.5}, "canny_intensity", 0.5),
        ({"structure_type": "depth", "structure_depth_contrast": 1.5}, "depth_contrast", 1.5),
        ({"structure_type": "flow", "structure_video_motion_strength": 2}, "motion_strength", 2),
        ({"structure_video_motion_strength": 2}, "motion_strength", 2),
        (
            {
                "structure_guidance": {
                    "preprocessing": "flow",
                    "strength": 3,
                    "videos": [{"path": "g.mp4", "motion_strength": 2}],
                }
            },
            "motion_strength",
            2,
        ),
    ],
)
def test_strengths_reach_the_pictures_of_their_kind(more: dict[str, Any], field: str, value: float) -> None:
    found = line(row("travel_orchestrator", TRAVEL | {"structure_video_path": "g.mp4"} | more))
    assert found.values is not None, found.error
    task = task_of(found)
    assert found.values[field] == getattr(task, field) == value
    kind = {"canny_intensity": "canny", "depth_contrast": "depth"}.get(field, "flow")
    assert found.values["guide_kind"] == kind
    assert not [
        notice for notice in found.notices if "strength" in notice and "structure_guidance" not in more
    ]


def test_a_guide_that_was_made_is_shown_as_it_is() -> None:
    made = {"structure_guidance_video_url": "made.mp4", "structure_type": "flow"}
    assert guide(made) == {"video_guide": ["/in/made.mp4"], "guide_timing": "trim"}


def test_without_a_video_nothing_is_guided() -> None:
    assert guide({"structure_type": "flow", "structure_videos": [], "structure_video_path": ""}) == {}
    assert guide({"structure_guidance": {"target": "uni3c", "videos": []}}) == {}


def test_videos_keep_their_places_between_the_pictures() -> None:
    videos = [
        VIDEO | {"start_frame": 71, "end_frame": 136, "source_start_frame": 3, "source_end_frame": 9},
        VIDEO | {"start_frame": 0, "end_frame": 71, "source_end_frame": 5},
    ]
    found = guide({"structure_videos": videos})
    # Without their overlap of ten the parts have 81 and 65 frames.
    assert found["guide_range"] == ["0-80", "81-145"]
    assert found["guide_cut"] == ["0-4", "3-8"]


def test_frames_move_with_the_pictures() -> None:
    assert [_map_frame(frame, [81] * 5, [10] * 4) for frame in (0, 71, 142, 213, 284, 365)] == [
        0,
        81,
        162,
        243,
        324,
        405,
    ]
    assert [_map_frame(frame, [81, 81], [0]) for frame in (0, 40, 81, 162, 170)] == [0, 40, 81, 162, 170]
    assert _map_frame(7, [], []) == 7


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"structure_videos": [VIDEO, VIDEO | {"structure_type": "raw"}]}, "structure_type"),
        ({"structure_videos": [VIDEO | {"structure_type": "pose"}]}, "structure_type"),
        ({"structure_videos": [VIDEO | {"treatment": "bend"}]}, "structure_videos"),
        ({"structure_videos": [VIDEO], "structure_canny_intensity": -2}, "structure_canny_intensity"),
        ({"structure_guidance": {"videos": [{"path": "a"}], "target": "uni3c"}}, "structure_guidance"),
        ({"structure_guidance": {"videos": [{"path": "a"}], "frame_policy": "x"}}, "structure_guidance"),
        ({"use_uni3c": True}, "use_uni3c"),
    ],
)
def test_what_is_not_served_is_refused_by_its_key(more: dict[str, Any], field: str) -> None:
    found = line(row("travel_orchestrator", TRAVEL | more))
    assert found.error is not None
    assert found.error.field == field
