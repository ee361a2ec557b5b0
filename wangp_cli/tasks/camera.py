"""The camera from which ReCamMaster re-renders a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from wangp_cli.plan.camera_paths import PATHS
from wangp_cli.tasks.fields import Flag, Input, Spec


def _path(value: Any) -> Any:
    """The name of a camera path, given by name in any spelling or by number from 1."""
    if not isinstance(value, str | int):
        return value
    names = list(PATHS)
    name = str(value).strip().lower().replace(" ", "-").replace("_", "-")
    if name.isdigit() and 1 <= int(name) <= len(names):
        return names[int(name) - 1]
    if name not in names:
        raise ValueError(f"{value!r} is not one of {', '.join(names)}, nor a number from 1 to {len(names)}")
    return name


class CameraOptions(Spec):
    """The path of the new camera."""

    panel: ClassVar[str] = "Camera"
    camera: Annotated[
        Annotated[str, BeforeValidator(_path)] | None,
        Flag(
            f"Camera path from which the video is re-rendered: {', '.join(PATHS)}; or its number.",
            metavar="PATH",
            default="the model's",
            choices=tuple(PATHS),
        ),
    ] = None
    camera_file: Annotated[
        Path | None,
        Input(("poses",), "camera"),
        Flag("JSON file with the camera's pose in every frame; of several cameras, --camera picks one."),
    ] = None
