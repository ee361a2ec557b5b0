"""Payloads of the older worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from wangp_cli.errors import RequestError
from wangp_cli.legacy import RENAMED
from wangp_cli.legacy.old_keys import NEUTRAL, ONLY_OLD_KEYS, READ_ELSEWHERE
from wangp_cli.runtime.intake.json_tasks import LineContext, lines_of
from wangp_cli.runtime.intake.task_line import TaskLine
from wangp_cli.runtime.request.resolve import _class_defaults, validate
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.task import Task
from wangp_cli.value_layers import Layer, merge

KEYS = [*RENAMED, *NEUTRAL, *READ_ELSEWHERE, *ONLY_OLD_KEYS]

# Letters of its own: the table of all there are takes seconds to make, in a folder without one.
TEXT = st.text("aA1;,@|:. /\\\n\0é\u202e", max_size=5)

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 200) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)

PLACE = LineContext(source="tasks.json", folder=Path("/in"))
TRAVEL: dict[str, Any] = {
    "run_id": "20260111",
    "shot_id": "4be72ce7",
    "steps": 20,
    "seed_base": 789,
    "model_name": "vace_14B",
    "model_type": "vace",
    "base_prompt": "",
    "motion_mode": "basic",
    "amount_of_motion": 0.5,
    "enhance_prompt": False,
    "chain_segments": True,
    "parsed_resolution_wh": "902x508",
    "fps_helpers": 16,
    "base_prompts_expanded": ["a dog", "a cat"],
    "negative_prompts_expanded": ["", ""],
    "enhanced_prompts_expanded": ["", "two cats"],
    "segment_frames_expanded": [81, 65],
    "frame_overlap_expanded": [10],
    "input_image_paths_resolved": ["0.png", "1.png", "2.png"],
    "num_new_segments_to_generate": 2,
    "after_first_post_generation_brightness": 0,
    "after_first_post_generation_saturation": 1,
    "use_uni3c": False,
    "uni3c_strength": 0.8,
    "main_output_dir_for_run": "./outputs/travel",
}
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


def row(kind: str, details: dict[str, Any], **top: Any) -> dict[str, Any]:
    """A row as the older worker claims it."""
    params = {"tool_type": "x", "orchestrator_details": details, **top}
    return {"id": "8d36d4e2-4f57", "task_type": kind, "params": params, "project_id": "p", "status": "Queued"}


def line(value: Any) -> TaskLine:
    (found,) = lines_of(value, PLACE)
    return found


def task_of(found: TaskLine) -> Task:
    """The task of a line, with a model if it names none; raises as a batch does."""
    assert found.values is not None
    task_type = TASKS[str(found.values["type"])]
    model = {"model": "starter"} if issubclass(task_type, Render) else {}
    layers = [
        Layer(kind="default", values=_class_defaults(task_type) | model),
        Layer(kind="line", values=found.values),
    ]
    merged = merge(layers)
    try:
        return validate(merged, task_type, merged.origin)
    except RequestError as error:
        raise found.relabel(error) from None
