"""Paths of the camera against published poses, and relative poses against matrices."""

from __future__ import annotations

import numpy as np
import pytest

from wangp_cli.plan.camera_paths import PATHS, Camera, path_cameras, path_number, relative_poses

LAST: dict[str, list[list[float]]] = {
    "pan-right": [[0.940432, 0.339982, 0], [-0.339982, 0.940432, 0], [0, 0, 1], [0, 0, 0]],
    "pan-left": [[0.940432, -0.339982, 0], [0.339982, 0.940432, 0], [0, 0, 1], [0, 0, 0]],
    "tilt-up": [[0.984995, 0, 0.17258], [0, 1, 0], [-0.17258, 0, 0.984995], [0, 0, 0]],
    "tilt-down": [[0.984995, 0, -0.17258], [0, 1, 0], [0.17258, 0, 0.984995], [0, 0, 0]],
    "zoom-in": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [198.76, 0, 0]],
    "zoom-out": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-198.76, 0, 0]],
    "translate-up": [[0.970496, 0, -0.241117], [0, 1, 0], [0.241117, 0, 0.970496], [0, 0, 99.379]],
    "translate-down": [[0.970496, 0, 0.241117], [0, 1, 0], [-0.241117, 0, 0.970496], [0, 0, -99.379]],
    "arc-left": [[0.867575, 0.497306, 0], [-0.497306, 0.867575, 0], [0, 0, 1], [53.26, -198.76, 0]],
    "arc-right": [[0.867575, -0.497306, 0], [0.497306, 0.867575, 0], [0, 0, 1], [53.26, 198.76, 0]],
}
"""The last of the 81 published poses of each path, its position from the first one's, in centimetres."""


@pytest.mark.parametrize("path", PATHS)
def test_a_path_ends_at_its_published_pose(path: str) -> None:
    last = np.array(path_cameras(path, 81)[-1])
    assert np.allclose(last, LAST[path], atol=0.006)
    assert np.allclose(last[:3], np.array(LAST[path])[:3], atol=1e-6)
    assert list(LAST).index(path) + 1 == path_number(path)


def test_an_arc_turns_as_the_published_one_does() -> None:
    forward, _, _, position = path_cameras("arc-left", 11)[10]
    assert np.degrees(np.arctan2(forward[1], forward[0])) == pytest.approx(3.6143, abs=1e-3)
    assert position == pytest.approx((6.66, -24.84, 0), abs=0.006)


@pytest.mark.parametrize("path", PATHS)
def test_poses_are_those_of_plain_matrices(path: str) -> None:
    cameras = path_cameras(path, 9)[3:]
    matrices = []
    for camera in cameras:
        to_world = np.eye(4)
        forward, right, up, position = map(np.array, camera)
        to_world[:3] = np.stack([right, -up, forward, position / 100], axis=1)
        matrices.append(to_world)
    wanted = [(np.linalg.inv(matrices[0]) @ matrix)[:3].ravel() for matrix in matrices]
    assert np.allclose(relative_poses(cameras), wanted, atol=1e-9)
    assert np.allclose(relative_poses(cameras)[0], np.eye(3, 4).ravel())


def test_where_the_world_begins_does_not_matter() -> None:
    def moved(camera: Camera) -> Camera:
        # A quarter turn to the right, and elsewhere.
        forward, right, up, position = ((-y, x, z) for x, y, z in camera)
        return Camera(forward, right, up, (position[0] + 3390, position[1] + 1380, position[2] + 240))

    cameras = path_cameras("arc-right", 9)
    assert np.allclose(relative_poses(cameras), relative_poses(list(map(moved, cameras))))
