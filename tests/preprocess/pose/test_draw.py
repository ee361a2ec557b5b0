"""Skeletons."""

from __future__ import annotations

import numpy as np

from tests.support.people import person
from wangp_cli.preprocess.pose.draw import FINGERS, draw_people
from wangp_cli.preprocess.pose.keypoints import KEYPOINTS

SIZE = (1024, 1024)


def points(**places: tuple[float, float]) -> np.ndarray:
    """One person with some keypoints, by their number in the order of OpenPose."""
    people = np.zeros((1, KEYPOINTS, 3), np.float32)
    for name, place in places.items():
        people[0, int(name[1:])] = (*place, 0.9)
    return people


def test_a_limb_is_an_ellipse_in_its_colour_and_its_joints_are_brighter() -> None:
    # Neck and right shoulder.
    drawn = draw_people(points(k1=(200, 300), k2=(400, 300)), SIZE, ("body",))
    assert drawn[300, 300].tolist() == [0, 0, 153]
    across = np.flatnonzero(drawn[:, 300].any(axis=1))
    assert across.min() == 296
    # Pixels of the outline may round inwards.
    assert across.max() in (303, 304)
    assert np.count_nonzero(drawn[:, 210].any(axis=1)) < 6
    assert drawn[300, 200].tolist() == [0, 85, 255]
    assert drawn[300, 400].tolist() == [0, 170, 255]
    assert not drawn[:, 410:].any()


def test_hidden_keypoints_have_no_limb() -> None:
    people = points(k1=(200, 300), k2=(400, 300))
    people[0, 2, 2] = 0.29
    drawn = draw_people(people, SIZE, ("body",))
    assert not drawn[300, 250].any()
    assert not drawn[300, 400].any()
    assert drawn[300, 200].any()
    assert not draw_people(people[:0], SIZE, ("body", "hands", "face")).any()


def test_fingers_begin_at_the_wrist() -> None:
    assert FINGERS[:5] == ((0, 1), (1, 2), (2, 3), (3, 4), (0, 5))
    assert len(FINGERS) == 20
    drawn = draw_people(points(k92=(100, 100), k93=(200, 100)), SIZE, ("hands",))
    # The first bone is red; the last step of the canvas swaps red and blue.
    assert drawn[100, 150].tolist() == [0, 0, 255]
    assert drawn[100, 200].tolist() == [255, 0, 0]


def test_only_the_parts_asked_for_are_drawn() -> None:
    people = points(k1=(200, 300), k30=(500, 500), k92=(100, 100))
    face = draw_people(people, SIZE, ("face",))
    assert face[500, 500].tolist() == [255, 255, 255]
    assert not face[:400].any()
    assert not draw_people(people, SIZE, ("body",))[490:510].any()


def test_widths_follow_the_size_of_the_frame() -> None:
    shares = []
    for size in ((320, 240), (960, 720)):
        drawn = draw_people(person(*size), size, ("body", "hands", "face"))
        assert drawn.shape == (size[1], size[0], 3)
        shares.append(drawn.mean())
    assert abs(shares[0] / shares[1] - 1) < 0.05
