"""What becomes of a guide video of Uni3C, from the file to the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.conftest import Make
from tests.support import tiny, tiny_uni3c
from tests.support.media_files import picture, video
from wangp_cli.runtime.request.check_inputs import check_inputs
from wangp_cli.tasks.generate import Generate
from wangp_cli.workflows.inputs import read_inputs

SHOT: dict[str, Any] = {"frames": 9, "fps": "16", "size": "32x32"}


@pytest.fixture
def camera(config: Path, tmp_path: Path) -> str:
    """A tiny Uni3C beside image to video in the catalogue."""
    place = tiny_uni3c.weights(tiny.save("i2v", tmp_path / "base"), tmp_path)
    entry = {
        "title": "Tiny",
        "architecture": "uni3c_i2v",
        "source": {"folder": str(place.folder), "modules": {"control": [str(tmp_path / tiny_uni3c.FILE)]}},
        "accepts": ["start", "control", "lora", "negative", "audio"],
        "requires": ["start", "control"],
        "defaults": {"steps": 2, "flow_shift": 3.0, "guidance_scale": 1.0},
    }
    (config / "models" / "camera.yaml").write_text(
        yaml.safe_dump({"family": "wan", "models": {"camera": entry}})
    )
    return "camera"


@pytest.mark.slow
def test_a_result_follows_its_guide(make: Make, camera: str, tmp_path: Path) -> None:
    said = {"image_start": picture(tmp_path, "start", 1), "video_guide": video(tmp_path, "guide", 2), **SHOT}
    made = [
        make(camera, name=f"n{number}", **said | {"video_guide": guide} | more).frames
        for number, (guide, more) in enumerate(
            [
                (said["video_guide"], {}),
                (video(tmp_path, "other", 3), {}),
                (said["video_guide"], {"control_strength": 0.3}),
                (said["video_guide"], {"control_end": 0.5}),
            ]
        )
    ]
    assert len({frames.tobytes() for frames in made}) == len(made)
    without = make(camera, name="none", **said | {"control_strength": 0.0}).frames
    assert np.array_equal(
        without, make("tiny_i2v", image_start=said["image_start"], name="own", **SHOT).frames
    )


def test_behind_the_end_of_a_guide_there_is_nothing(tmp_path: Path) -> None:
    values = {"model": "x", "prompt": "a", "video_guide": video(tmp_path, "guide", 2), "seed": 1, **SHOT}
    task = Generate.model_validate(values)
    for spec, value in ((tiny_uni3c.spec("t2v"), 0.0), (tiny.spec("vace"), 0.5)):
        control = read_inputs(task, spec, check_inputs(task, [], {})).inputs.control
        assert control is not None
        assert len(control) == 9
        assert (control.frames[5:] == value).all()
        assert not (control.frames[:5] == value).all()


def test_what_is_missing_is_refused_before_anything_is_loaded(
    make: Make, camera: str, tmp_path: Path
) -> None:
    start, guide = picture(tmp_path, "start", 1), video(tmp_path, "guide", 2)
    for said, message in (
        ({"image_start": start}, "needs a control video"),
        ({"video_guide": guide}, "needs a start image"),
        ({"image_start": start, "video_guide": start}, "is an image, a video is wanted"),
    ):
        outcome = make(camera, **said, **SHOT).outcome
        assert outcome.error is not None
        assert message in outcome.error.message
        assert outcome.exit_code == 2
