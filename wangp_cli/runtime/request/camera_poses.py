"""Camera poses for every frame of a task: of a named path, or read from a file."""

from __future__ import annotations

import re
from math import isclose, isfinite
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import RequestError
from wangp_cli.files.open_input import read_input
from wangp_cli.files.strict_json import MAX_BYTES, loads
from wangp_cli.plan.camera_paths import Camera, Pose, path_cameras, path_number, relative_poses

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.tasks.camera import CameraOptions

FIELD = "camera_file"
TOLERANCE = 1e-3
"""For lengths and dot products of the camera's axes; files have six digits."""
_ROW = re.compile(r"\[([^\[\]]*)\]")


def frame_poses(task: CameraOptions, frames: int) -> tuple[Pose, ...] | None:
    """Camera poses relative to that of the first frame, one for each frame; None without a camera.

    Raises:
        RequestError: the file is broken, or has too few frames.
    """
    if task.camera_file:
        return tuple(relative_poses(_read(task.camera_file, task.camera, frames)))
    return tuple(relative_poses(path_cameras(task.camera, frames))) if task.camera else None


def _read(path: Path, camera: str | None, frames: int) -> list[Camera]:
    """The cameras of a file in the format of MultiCamVideo: `frame0` ..., each with `cam01` ..."""
    try:
        table = loads(read_input(path, MAX_BYTES))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(FIELD, f"{path} cannot be read: {reason}") from None
    if not isinstance(table, dict) or not isinstance(table.get("frame0"), dict) or not table["frame0"]:
        raise RequestError(FIELD, f"{path} has no frame0 with a camera, such as cam01")
    if (count := sum(f"frame{index}" in table for index in range(frames))) < frames:
        raise RequestError(FIELD, f"{path} has {count} frames, but {frames} are made")
    name = _camera_name(path, list(table["frame0"]), camera)
    return [_camera(path, f"frame{index}", name, table[f"frame{index}"]) for index in range(frames)]


def _camera_name(path: Path, names: list[str], camera: str | None) -> str:
    wanted = f"cam{path_number(camera) if camera else 1:02}"
    if wanted in names:
        return wanted
    if len(names) > 1:
        raise RequestError(
            FIELD, f"{path} has no {wanted}, but {', '.join(names)[:80]}", hint="--camera NUMBER"
        )
    return names[0]


def _camera(path: Path, frame: str, name: str, cameras: Any) -> Camera:
    """A camera from a matrix `[4, 4]` with the rows forward, right, up and position, as lists or as text."""
    matrix = cameras.get(name) if isinstance(cameras, dict) else None
    try:
        if isinstance(matrix, str):
            matrix = [row.split() for row in _ROW.findall(matrix)]
        rows = [tuple(float(value) for value in row) for row in matrix]  # type: ignore[union-attr]
        camera = Camera(*((x, y, z) for x, y, z, _ in rows))
        last_column = [row[3] for row in rows]
    except (TypeError, ValueError):
        raise RequestError(FIELD, f"{path}: {frame} {name} is no matrix of 4 x 4 numbers") from None
    if last_column != [0, 0, 0, 1] or not _has_orthonormal_axes(camera):
        fault = "must be forward, right and up of length 1, then the position, with 0 0 0 1 at their ends"
        raise RequestError(FIELD, f"{path}: {frame} {name}: the rows {fault}")
    return camera


def _has_orthonormal_axes(camera: Camera) -> bool:
    """Whether the axes have length 1 and right angles, and the position is finite."""
    axes = camera[:3]
    return all(map(isfinite, camera.position)) and all(
        isclose(sum(a * b for a, b in zip(left, right, strict=True)), float(i == j), abs_tol=TOLERANCE)
        for i, left in enumerate(axes)
        for j, right in enumerate(axes)
    )
