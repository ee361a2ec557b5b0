"""Every key in the tables of payloads is used, refused or told, or has no effect in the older worker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.payloads import EDIT, JOIN, TRAVEL
from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate
from wangp_cli.legacy.payload import CombinedKey, IgnoredWithNotice, MapsTo, NeutralOnly, NoEffect
from wangp_cli.legacy.task_types import PAYLOADS

GUIDES = {"structure_videos": [{"path": "a.mp4", "structure_type": "canny"}]}
BLOCK = {"videos": [{"path": "a.mp4"}], "preprocessing": "canny"}
BASES: dict[str, dict[str, Any]] = {
    "travel_orchestrator": TRAVEL,
    "travel_segment": TRAVEL,
    "individual_travel_segment": TRAVEL,
    "join_clips_orchestrator": JOIN | {"replace_mode": False},
    "join_clips_segment": {"starting_video_path": "a.mp4", "ending_video_path": "b.mp4"},
    "edit_video_orchestrator": EDIT,
    "inpaint_frames": {"video_path": "a.mp4", "inpaint_start_frame": 4, "inpaint_end_frame": 9},
    "extract_frame": {"video": "a.mp4"},
    "generate_openpose": {"input_image_path": "a.png"},
    "generate_depth": {"input_image_path": "a.png"},
    "rife_interpolate_images": {"input_image_path1": "a.png", "input_image_path2": "b.png"},
}
BESIDE: dict[str, dict[str, Any]] = {
    "svi_strength": {"use_svi": True},
    "svi_strength_1": {"use_svi": True},
    "svi_strength_2": {"use_svi": True},
    "chain_segments": {"chain_segments": None},
    "independent_segments": {"chain_segments": None},
    "structure_type": {"structure_video_path": "a.mp4", "structure_type": "raw"},
    "structure_video_type": {"structure_video_path": "a.mp4", "structure_video_type": "raw"},
    "structure_video_treatment": {"structure_video_path": "a.mp4", "structure_type": "raw"},
    "structure_guidance_frame_offset": {"structure_guidance_video_url": "a.mp4"},
    "structure_motion_frame_offset": {"structure_motion_video_url": "a.mp4"},
    "structure_canny_intensity": GUIDES,
    "structure_depth_contrast": GUIDES,
    "structure_video_motion_strength": GUIDES,
    "enhance_prompt": {"enhanced_prompts_expanded": ["", ""]},
    "negative_prompt": {"negative_prompts_expanded": []},
    "base_prompt": {"base_prompts_expanded": [], "enhanced_prompts_expanded": []},
    "base_prompts_expanded": {"enhanced_prompts_expanded": []},
    "segment_frames_target": {"num_frames": None},
    "seed_base": {"seed_to_use": None},
    "aspect_ratio": {"resolution": [832, 480]},
    "use_input_video_resolution": {"resolution": [832, 480]},
    "use_input_video_fps": {"fps": 16},
    "num_new_segments_to_generate": {
        **dict.fromkeys(("segment_frames_expanded", "base_prompts_expanded", "enhanced_prompts_expanded")),
        **dict.fromkeys(("negative_prompts_expanded", "frame_overlap_expanded")),
        "input_image_paths_resolved": ["0.png"],
        "base_prompt": "a",
    },
    "continue_from_video_resolved_path": {"input_image_paths_resolved": ["0.png", "1.png"]},
}
"""What a key needs beside it to have an effect."""
SAMPLES: tuple[Any, ...] = (
    7, 0.25, True, False, "canny", "i2v", "clip", "16:9", "other.mp4", "640x320", [640, 320],
    ["x.png", "y.png"],
    [45, 49], [6], ["text", "words"], [{"path": "b.mp4", "structure_type": "raw"}], BLOCK, {"b": 1},
    [{"gap_frame_count": 5}], [{"url": "x.mp4"}, {"url": "y.mp4"}],
    [{"start_frame": 1, "end_frame": 2}],
)  # fmt: skip
"""Values of all shapes that keys take."""


AT_THE_TOP = (
    "join_clips_segment", "inpaint_frames", "extract_frame", "generate_openpose", "generate_depth",
    "rife_interpolate_images",
)  # fmt: skip
"""Types whose keys are not nested."""


def result(kind: str, details: dict[str, Any]) -> Any:
    """The translation, or the error as a text."""
    top = details if kind in AT_THE_TOP else {"orchestrator_details": details}
    try:
        made = translate({"task_type": kind} | top)
    except RequestError as error:
        return str(error)
    return made.values, made.notices


@pytest.mark.parametrize(
    ("kind", "key"),
    [(kind, key) for kind, payload in PAYLOADS.items() for key in payload.keys],
)
def test_every_key_is_used_refused_or_told(kind: str, key: str) -> None:
    entry = PAYLOADS[kind].keys[key]
    base = BASES[kind] | BESIDE.get(key, {})
    usual = result(kind, base)
    results = [result(kind, base | {key: value}) for value in SAMPLES]
    # An error of the value's shape would show nothing.
    taken = [
        found
        for found in results
        if not isinstance(found, str) or "is not served" in found or "language" in found
    ]
    match entry:
        case NoEffect(_, why):
            assert why
            assert all(found == usual for found in taken)
        case IgnoredWithNotice():
            assert any(key in " ".join(found[1]) for found in taken)
        case NeutralOnly():
            assert any(isinstance(found, str) for found in results)
        case MapsTo() | CombinedKey():
            assert any(found != usual for found in taken), key


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"strength": -1}, "strength: -1, must be 0 or more"),
        ({"strength": 0.5}, "strength 0.5 is not used"),
        ({"depth_contrast": 2}, "depth_contrast 2 is not used"),
        ({"preprocessing": "raw", "canny_intensity": 2}, "canny_intensity 2 is not used"),
        ({"preprocessing": "flow", "canny_intensity": 2}, "canny_intensity 2 is not used"),
        ({"canny_intensity": -1}, "canny_intensity: -1, must be 0 or more"),
        ({"canny_intensity": 101}, "canny_intensity: 101, must be 100 or less"),
        ({"preprocessing": "pose"}, "'pose' is not served"),
        (
            {
                "preprocessing": "flow",
                "videos": [
                    {"path": "a.mp4", "end_frame": 9},
                    {"path": "b.mp4", "start_frame": 9, "motion_strength": 2},
                ],
            },
            "motion_strength: 1 and 2 are not served together",
        ),
        ({"step_window": [0.5]}, "is not \\[start, end\\]"),
        ({"target": "uni3c"}, "'uni3c' is not served"),
        ({"frame_policy": "other"}, "is not one of"),
        ({"videos": [{"path": "a.mp4", "start_frame": 5, "end_frame": 5}]}, "end_frame: 5, must be more"),
        ({"videos": [{"path": "a.mp4", "start_frame": 9, "end_frame": 5}]}, "end_frame: 5, must be more"),
        ({"videos": [{"path": "a.mp4", "end_frame": 0}]}, "end_frame: 0, must be more"),
        ({"videos": [{"path": "a.mp4", "source_start_frame": 5}]}, "source_end_frame is needed"),
        ({"videos": [{"path": "a.mp4", "motion_strength": 0.3}]}, "motion_strength 0.3 is not used"),
        ({"videos": [{"path": "a.mp4", "motion_strength": -0.3}]}, "motion_strength: -0.3, must be"),
    ],
)
def test_every_value_of_a_guidance_block_is_used_refused_or_told(block: dict[str, Any], said: str) -> None:
    found = result("travel_orchestrator", TRAVEL | {"structure_guidance": BLOCK | block})
    text = found if isinstance(found, str) else " ".join(found[1])
    assert said.replace("\\", "") in text


def test_flat_keys_beside_a_guidance_block_are_told() -> None:
    _, notices = result("travel_orchestrator", TRAVEL | GUIDES | {"structure_guidance": BLOCK})
    assert "structure_videos: not used" in " ".join(notices)


def test_additional_loras_of_a_travel_are_told() -> None:
    values, notices = result("travel_orchestrator", TRAVEL | {"additional_loras": {"a.safetensors": 1}})
    assert "loras" not in values
    assert "additional_loras: the older worker leaves them out of travels" in " ".join(notices)
    assert "additional" not in str(result("travel_orchestrator", TRAVEL | {"additional_loras": {}})[1])


def test_a_phase_without_steps_is_told() -> None:
    config = {"num_phases": 2, "steps_per_phase": [6, 0], "phases": [{}, {"guidance_scale": 3}]}
    _, notices = result("travel_orchestrator", TRAVEL | {"phase_config": config})
    assert "phase_config: phase 2 has no steps" in " ".join(notices)
