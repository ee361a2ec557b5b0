"""Which of the given values a run does not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.media_files import picture, video
from wangp_cli.media.stills import write_image
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.history.manifest import embedded_document, history_record
from wangp_cli.runtime.request.request import Request
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.runtime.request.unused_values import ALWAYS_READ, REASONS
from wangp_cli.runtime.session import Session
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.render import Render
from wangp_cli.value_layers import Layer, LayerKind

GUIDANCE_1: dict[str, Any] = {"guidance_scale": 1.0}
OFF = "the guidance scale is 1"
TRAVEL = {"type": "travel", "model": "vace_1.3B", "images": ["a.png", "b.png"]}
INPAINT = {"type": "inpaint", "model": "vace_1.3B", "video": "long.mkv", "prompt": "a circle"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two images, a mask and videos."""
    folder = tmp_path_factory.mktemp("inputs")
    for seed, name in enumerate(("a", "b")):
        picture(folder, name, seed)
    write_image(folder / "mask.png", np.ones((32, 32, 3), np.float32))
    video(folder, "long", 1, frames=30)
    return folder


@pytest.fixture
def session(home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(folder)
    return bootstrap.start([])


def request_of(session: Session, kind: LayerKind = "flag", **values: Any) -> Request:
    usual = {"prompt": "a circle"} if values.get("type", "generate") == "generate" else {}
    return resolve([Layer(kind=kind, values=usual | values)], session)


RENDERS = [name for name, task in TASKS.items() if issubclass(task, Render)]


@pytest.mark.parametrize("task_type", RENDERS)
def test_it_is_known_of_every_field_whether_runs_read_it(task_type: str) -> None:
    fields = set(TASKS[task_type].model_fields)
    assert fields <= REASONS.keys() | ALWAYS_READ
    assert not REASONS.keys() & ALWAYS_READ


def test_every_field_with_a_reason_is_a_field() -> None:
    fields = {name for kind in RENDERS for name in TASKS[kind].model_fields}
    assert REASONS.keys() | ALWAYS_READ <= fields


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"model": "t2v_1.3B", "negative_prompt": "blur", **GUIDANCE_1}, "negative_prompt", OFF),
        ({"model": "t2v_1.3B", "cfg_zero": True, **GUIDANCE_1}, "cfg_zero", OFF),
        ({"model": "t2v_1.3B", "skip_layers": (9,), **GUIDANCE_1}, "skip_layers", OFF),
        ({"model": "vace_1.3B", "guide_given": False, **GUIDANCE_1}, "guide_given", OFF),
        ({"model": "t2v_1.3B", "boost": True, **GUIDANCE_1}, "boost", OFF),
        ({"model": "t2v_1.3B", "apg_momentum": 0.5}, "apg_momentum", "APG is off"),
        ({"model": "t2v_1.3B", "skip_layer_start": 0.2}, "skip_layer_start", "no layer is skipped"),
        ({"model": "t2v_1.3B", "nag_tau": 2.0}, "nag_tau", "NAG is off, its scale is 1"),
        ({"model": "t2v_1.3B", "nag_alpha": 0.2}, "nag_alpha", "NAG is off, its scale is 1"),
        ({"model": "t2v_1.3B", "guidance2_scale": 2.0}, "guidance2_scale", "there is one phase"),
        ({"model": "t2v_1.3B", "switch_threshold2": 5}, "switch_threshold2", "there is one phase"),
        (
            {"model": "t2v_1.3B", "model_switch_phase": 2},
            "model_switch_phase",
            "model 't2v_1.3B' has one transformer",
        ),
        (
            {"model": "t2v_2_2", "guidance3_scale": 2.0},
            "guidance3_scale",
            "there are two phases",
        ),
        (
            {"model": "t2v_1.3B", "sampler": "causvid", "steps": 4, "flow_shift": 3.0},
            "flow_shift",
            "the sampler causvid has timesteps of its own",
        ),
        (
            {"model": "t2v_1.3B", "control_strength": 0.5},
            "control_strength",
            "model 't2v_1.3B' takes no control video",
        ),
        ({"model": "t2v_1.3B", "audio_scale": 0.5}, "audio_scale", "model 't2v_1.3B' takes no speech"),
        ({"model": "t2v_1.3B", "colour_match": 0.5}, "colour_match", "the video is made in one run"),
        (
            {"model": "vace_1.3B", "sliding_window_overlap": 9},
            "sliding_window_overlap",
            "the model makes all frames in one run",
        ),
        ({"model": "t2v_1.3B", "frames": 1, "crf": 20}, "crf", "the result is an image"),
        ({"model": "t2v_1.3B", "frames": 1, "fps": "24"}, "fps", "the result is an image"),
        ({"model": "t2v_1.3B", "image_format": "jpg"}, "image_format", "the result is a video"),
        ({"model": "t2v_1.3B", "output": "a.mp4", "name": "b"}, "name", "the output is given"),
        ({**TRAVEL, "guide_strength": 0.5}, "guide_strength", "there is no video_guide"),
        ({**TRAVEL, "sound": "crossfade"}, "sound", "there is no video_source"),
        (
            {**TRAVEL, "mode": "independent", "context_strength": 0.5},
            "context_strength",
            "no part has frames of a previous one",
        ),
        ({**TRAVEL, "part_saturation": 0.5}, "part_saturation", "there is one part"),
        ({**TRAVEL, "negative_prompt": ("blur",), **GUIDANCE_1}, "negative_prompt", OFF),
        (
            {**INPAINT, "portion": "10-20", "mask_expand": 3},
            "mask_expand",
            "there is no image_mask or video_mask",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_value_that_is_not_read_is_told(
    session: Session, values: dict[str, Any], field: str, reason: str
) -> None:
    request = request_of(session, **values)
    assert request.unused == [field]
    assert f"{field}: not used, {reason}" in map(str, request.notices)


@pytest.mark.parametrize(
    "values",
    [
        {"model": "t2v_1.3B", "negative_prompt": "blur"},
        {"model": "t2v_1.3B", "negative_prompt": "blur", "nag_scale": 5.0, "nag_tau": 2.0, **GUIDANCE_1},
        {"model": "t2v_1.3B", "apg": True, "apg_momentum": 0.5},
        {
            "model": "t2v_1.3B", "guidance_phases": 2, "switch_threshold": 500, "guidance2_scale": 3.0,
            "negative_prompt": "blur", **GUIDANCE_1,
        },
        {"model": "vace_1.3B", "sliding_window_size": 33, "sliding_window_overlap": 9, "colour_match": 0.5},
        {"model": "vace_1.3B", "video_source": "long.mkv", "sliding_window_overlap": 9},
        {"model": "t2v_1.3B", "frames": 1, "image_format": "jpg"},
        {**TRAVEL, "images": ["a.png", "b.png", "a.png"], "context_strength": 0.5, "part_saturation": 0.5},
        {**INPAINT, "image_mask": "mask.png", "mask_expand": 3, "mask_feather": 2},
    ],
    ids=str,
)  # fmt: skip
def test_a_value_that_is_read_is_not_told(session: Session, values: dict[str, Any]) -> None:
    assert request_of(session, **values).unused == []


def test_only_unusual_values_of_a_document_are_told(session: Session) -> None:
    default = {"model": "t2v_1.3B", "nag_tau": 3.5, "audio_scale": 1.0, "negative_prompt": ""}
    assert request_of(session, "file", **default).unused == []
    assert request_of(session, "file", **default | {"nag_tau": 3.0}).unused == ["nag_tau"]
    assert request_of(session, "flag", **default).unused == ["audio_scale", "nag_tau"]
    assert request_of(session, "preset", **default | {"nag_tau": 3.0}).unused == []


def test_the_request_of_a_result_marks_what_was_not_used(session: Session, tmp_path: Path) -> None:
    request = request_of(session, model="t2v_1.3B", negative_prompt="blur", nag_tau=2.0, **GUIDANCE_1)
    assert '"unused":["negative_prompt","nag_tau"]' in embedded_document(request, 0, tmp_path, {})
    ending = {"run_id": "r", "checksums": {}, "notices": [], "status": "succeeded", "artifacts": []}
    assert history_record(request, ending, 1.0)["unused"] == ["negative_prompt", "nag_tau"]
    assert request.document()["unused"] == ["negative_prompt", "nag_tau"]
