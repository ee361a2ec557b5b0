"""How the camera of a video that is filmed again moves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from wangp_cli.plan.camera_paths import PATHS
from wangp_cli.tasks.fields import Flag, Input, Spec


def _path(value: Any) -> Any:
    """The name of a path that was said by its name or number, in any spelling of it."""
    if not isinstance(value, str | int):
        return value
    names = list(PATHS)
    said = str(value).strip().lower().replace(" ", "-").replace("_", "-")
    if said.isdigit() and 1 <= int(said) <= len(names):
        return names[int(said) - 1]
    if said not in names:
        raise ValueError(f"{value!r} is not one of {', '.join(names)}, nor a number from 1 to {len(names)}")
    return said


class CameraOptions(Spec):
    """How the camera moves."""

    panel: ClassVar[str] = "Inputs"
    camera: Annotated[
        Annotated[str, BeforeValidator(_path)] | None,
        Flag(
            f"Path of the camera that films a video again: {', '.join(PATHS)}; or its number.",
            metavar="PATH",
            default="the model's",
        ),
    ] = None
    camera_file: Annotated[
        Path | None,
        Input(("poses",), "camera"),
        Flag("JSON file with the camera's pose in every frame; of several cameras the one with that number."),
    ] = None
