"""The path of the camera."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.plan.camera_paths import PATHS
from wangp_cli.tasks.camera import CameraOptions


@pytest.mark.parametrize("said", ["arc-left", "Arc Left", " arc_left ", 9, "9"])
def test_a_path_is_named_in_any_spelling_or_by_its_number(said: Any) -> None:
    assert list(PATHS)[8] == "arc-left"
    assert CameraOptions(camera=said).camera == "arc-left"


@pytest.mark.parametrize("said", ["spin", 0, 11, "-1"])
def test_another_path_is_refused_with_those_there_are(said: Any) -> None:
    with pytest.raises(ValidationError, match="is not one of pan-right"):
        CameraOptions(camera=said)
