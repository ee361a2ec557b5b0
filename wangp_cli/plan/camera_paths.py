"""Camera paths: basic ones by formula, and cameras as the relative poses that networks take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import atan, cos, radians, sin
from types import MappingProxyType
from typing import NamedTuple

Vector = tuple[float, float, float]
Pose = tuple[float, ...]
"""The rows of a matrix `[3, 4]`, rotation and translation of a camera in the axes of another one."""


class Camera(NamedTuple):
    """Position and direction of a camera in a world whose axes are forward, right and up.

    Args:
        forward: direction of its view, of length 1, as are `right` and `up`.
        right: direction of its right.
        up: direction of its up.
        position: in centimetres.
    """

    forward: Vector
    right: Vector
    up: Vector
    position: Vector


FRAMES = 80.5
"""Frames of a whole path: the last of 81 frames lies half a frame before its end."""
PAN, TILT, ARC = 20.0, 10.0, 30.0
"""Degrees."""
ZOOM, LIFT = 200.0, 100.0
"""Centimetres."""
SUBJECT = 400.0
"""Centimetres to the point at which a camera that moves keeps looking."""


def _rotated_camera(yaw: float = 0.0, pitch: float = 0.0, position: Vector = (0.0, 0.0, 0.0)) -> Camera:
    """A camera turned by `yaw` to the right or by `pitch` upwards, in radians."""
    return Camera(
        forward=(cos(yaw) * cos(pitch), sin(yaw) * cos(pitch), sin(pitch)),
        right=(-sin(yaw), cos(yaw), 0.0),
        up=(-sin(pitch), 0.0, cos(pitch)),
        position=position,
    )


def _pan(direction: int, progress: float) -> Camera:
    return _rotated_camera(yaw=direction * radians(PAN) * progress)


def _tilt(direction: int, progress: float) -> Camera:
    return _rotated_camera(pitch=direction * radians(TILT) * progress)


def _zoom(direction: int, progress: float) -> Camera:
    return _rotated_camera(position=(direction * ZOOM * progress, 0.0, 0.0))


def _lift(direction: int, progress: float) -> Camera:
    height = direction * LIFT * progress
    return _rotated_camera(pitch=-atan(height / SUBJECT), position=(0.0, 0.0, height))


def _arc(direction: int, progress: float) -> Camera:
    """Moves along the chord of an arc around the subject."""
    ahead = SUBJECT * (1 - cos(radians(ARC))) * progress
    aside = SUBJECT * sin(radians(ARC)) * progress
    return _rotated_camera(
        yaw=-direction * atan(aside / (SUBJECT - ahead)), position=(ahead, direction * aside, 0.0)
    )


PATHS: MappingProxyType[str, tuple[Callable[[int, float], Camera], int]] = MappingProxyType(
    {
        "pan-right": (_pan, 1),
        "pan-left": (_pan, -1),
        "tilt-up": (_tilt, 1),
        "tilt-down": (_tilt, -1),
        "zoom-in": (_zoom, 1),
        "zoom-out": (_zoom, -1),
        "translate-up": (_lift, 1),
        "translate-down": (_lift, -1),
        "arc-left": (_arc, -1),
        "arc-right": (_arc, 1),
    }
)
"""The basic paths by name, with their direction, in the order of their numbers from 1.

Source: the ten basic trajectories of MultiCamVideo, Bai et al. 2025, arXiv:2503.11647, whose published
poses these formulas give to the digits they are written with.
"""


def path_number(path: str) -> int:
    """The number of a path, from 1."""
    return list(PATHS).index(path) + 1


def path_cameras(path: str, frames: int) -> list[Camera]:
    """The camera of each frame on one of `PATHS`; after the 81st frame it moves on at the same speed."""
    move, direction = PATHS[path]
    return [move(direction, frame / FRAMES) for frame in range(frames)]


def relative_poses(cameras: Sequence[Camera]) -> list[Pose]:
    """The pose of each camera relative to the first: axes right, down and forward, in metres."""
    origin = cameras[0].position
    axes = _axes(cameras[0])
    return [
        tuple(
            number
            for axis in axes
            for number in (
                *(_dot(axis, other) for other in _axes(camera)),
                _dot(axis, _subtract(camera.position, origin)) / 100,
            )
        )
        for camera in cameras
    ]


def _axes(camera: Camera) -> tuple[Vector, Vector, Vector]:
    return camera.right, _subtract((0.0, 0.0, 0.0), camera.up), camera.forward


def _subtract(left: Vector, right: Vector) -> Vector:
    return left[0] - right[0], left[1] - right[1], left[2] - right[2]


def _dot(left: Vector, right: Vector) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))
