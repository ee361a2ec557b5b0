"""Files of camera poses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.camera_files import written
from wangp_cli.errors import RequestError
from wangp_cli.plan.camera_paths import path_cameras, relative_poses
from wangp_cli.runtime.request.camera_poses import frame_poses
from wangp_cli.tasks.camera import CameraOptions


def test_a_file_gives_the_poses_it_holds(tmp_path: Path) -> None:
    file = written(tmp_path, {"cam01": "zoom-in", "cam02": "arc-left"})
    for said, path in ((None, "zoom-in"), ("1", "zoom-in"), (2, "arc-left"), ("pan-left", "arc-left")):
        found = frame_poses(CameraOptions.model_validate({"camera_file": file, "camera": said}), 5)
        assert np.allclose(found, relative_poses(path_cameras(path, 5)), atol=1e-4)  # type: ignore[arg-type]


def test_the_only_camera_of_a_file_is_meant_by_any_number(tmp_path: Path) -> None:
    file = written(tmp_path, {"mine": "tilt-up"})
    found = frame_poses(CameraOptions(camera_file=file, camera="3"), 5)
    assert np.allclose(found, relative_poses(path_cameras("tilt-up", 5)), atol=1e-4)  # type: ignore[arg-type]


def test_rows_may_be_lists(tmp_path: Path) -> None:
    rows = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    (tmp_path / "a.json").write_text(json.dumps({"frame0": {"cam01": rows}}))
    assert frame_poses(CameraOptions(camera_file=tmp_path / "a.json"), 1) == (
        (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0),
    )


@pytest.mark.parametrize("said", ["pan-right", "Pan Right", "PAN_RIGHT", "1", 1])
def test_a_path_is_said_by_name_or_number(said: Any) -> None:
    assert CameraOptions.model_validate({"camera": said}).camera == "pan-right"


@pytest.mark.parametrize("said", ["pan", 0, 11, "11", True, [1], ""])
def test_an_unknown_path_is_refused(said: Any) -> None:
    with pytest.raises(ValueError, match="camera"):
        CameraOptions.model_validate({"camera": said})


ROW = "[1 0 0 0] [0 1 0 0] [0 0 1 0]"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read: not JSON"),
        ("[1]", "has no frame0 with a camera"),
        ('{"frame0": {}}', "has no frame0 with a camera"),
        ('{"frame0": {"cam01": "x"}}', "has 1 frames, but 2 are made"),
        ({"cam02": "", "cam03": ""}, "has no cam01, but cam02, cam03"),
        ({"cam01": "1 0 0 0"}, "frame0 cam01 is no matrix of 4 x 4 numbers"),
        ({"cam01": ROW}, "is no matrix"),
        ({"cam01": f"{ROW} [0 0 x 1]"}, "is no matrix"),
        ({"cam01": [[1, 0, 0, 0]] * 3 + [None]}, "is no matrix"),
        ({"cam01": f"{ROW} [0 0 0 0]"}, "with 0 0 0 1 at their ends"),
        ({"cam01": f"{ROW} [0 0 1e999 1]"}, "must be forward, right and up"),
        ({"cam01": "[1 0 0 0] [0 1 0 0] [0 0 2 0] [0 0 0 1]"}, "of length 1"),
        ({"cam01": "[1 0 0 0] [1 0 0 0] [0 0 1 0] [0 0 0 1]"}, "of length 1"),
    ],
)
def test_a_broken_file_is_refused_by_its_place(tmp_path: Path, content: Any, message: str) -> None:
    if isinstance(content, dict):
        content = json.dumps({"frame0": content, "frame1": content})
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(RequestError, match=message) as caught:
        frame_poses(CameraOptions(camera_file=tmp_path / "a.json"), 2)
    assert caught.value.field == "camera_file"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"none.json cannot be read"):
        frame_poses(CameraOptions(camera_file=tmp_path / "none.json"), 2)
