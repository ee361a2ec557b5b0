"""Filming a video again: what changes the result, and what is refused before anything is loaded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Make
from tests.support.camera_files import written
from tests.support.media_files import video
from wangp_cli.media.facts import probe


def test_video_and_camera_change_what_is_made(make: Make, tmp_path: Path) -> None:
    guide = video(tmp_path, "guide", 1)
    changes: list[dict[str, Any]] = [
        {"video_guide": guide, "camera": "arc-left"},
        {"video_guide": video(tmp_path, "other", 2), "camera": "arc-left"},
        {"video_guide": guide, "camera": "2"},
        {"video_guide": guide, "camera_file": written(tmp_path, {"cam01": "zoom-in"})},
    ]
    made = [make("tiny_recam", name=f"n{n}", **change) for n, change in enumerate(changes)]
    assert len({one.frames.tobytes() for one in made}) == len(changes)
    same = make("tiny_recam", name="same", video_guide=guide, camera=9)
    assert same.frames.tobytes() == made[0].frames.tobytes()


def test_the_result_is_as_fast_as_the_video(make: Make, tmp_path: Path) -> None:
    guide = video(tmp_path, "guide", 1, fps=Fraction(24))
    said = {"video_guide": guide, "camera": "pan-left"}
    assert probe(make("tiny_recam", name="own", **said).path).fps == 24
    assert probe(make("tiny_recam", name="said", fps="12", **said).path).fps == 12


@pytest.mark.parametrize(
    ("model", "frames", "said", "message"),
    [
        ("tiny_recam", 0, {"camera": "pan-left"}, "--video-guide: model 'tiny_recam' needs a control video"),
        ("tiny_recam", 5, {}, "camera: model 'tiny_recam' needs a camera path"),
        ("tiny_recam", 5, {"camera": "left"}, "--camera: 'left' is not one of pan-right"),
        ("recam_1.3B", 40, {}, "--video-guide: 40 frames, but model 'recam_1.3B' re-renders 81"),
        ("tiny_recam", 5, {"camera": 3, "control_strength": 0.5}, "--control-strength: 0.5, but model"),
        ("tiny_recam", 5, {"camera": 3, "control_end": 0.5}, "--control-end: 0.5, but model"),
        ("tiny_recam", 9, {"camera_file": "short", "frames": 9}, "has 5 frames, but 9 are made"),
        ("tiny_t2v", 0, {"camera": "pan-left"}, "--camera: model 'tiny_t2v' takes no camera path"),
    ],
)
def test_what_cannot_be_filmed_is_refused_without_weights(
    make: Make, tmp_path: Path, model: str, frames: int, said: dict[str, Any], message: str
) -> None:
    if said.get("camera_file"):
        said = said | {"camera_file": written(tmp_path, {"cam01": "zoom-in"})}
    guide = {"video_guide": video(tmp_path, "guide", 1, frames=frames)} if frames else {}
    outcome = make(model, **guide, **said).outcome
    assert outcome.exit_code == 2
    assert message in str(outcome.error)
