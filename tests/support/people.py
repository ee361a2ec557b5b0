"""A person whose keypoints are known."""

from __future__ import annotations

import numpy as np

from wangp_cli.preprocess.pose.keypoints import BODY, FACE, HANDS, KEYPOINTS, People

JOINTS = (
    (0.50, 0.14), (0.50, 0.25), (0.42, 0.26), (0.36, 0.40), (0.30, 0.50), (0.58, 0.26), (0.66, 0.36),
    (0.74, 0.28), (0.45, 0.54), (0.43, 0.72), (0.42, 0.92), (0.55, 0.54), (0.58, 0.72), (0.60, 0.92),
    (0.48, 0.12), (0.52, 0.12), (0.46, 0.14), (0.54, 0.14),
)  # fmt: skip
"""Of the body in the order of OpenPose, as shares of the frame."""


def person(width: int, height: int) -> People:
    """One standing person with a hand at each wrist and a round face, `[1, 134, 3]`."""
    people = np.zeros((1, KEYPOINTS, 3), np.float32)
    people[0, BODY, :2] = JOINTS
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    people[0, FACE, :2] = np.stack([0.5 + 0.03 * np.cos(turn), 0.14 + 0.05 * np.sin(turn)], axis=1)
    for hand, wrist, side in zip(HANDS, (JOINTS[7], JOINTS[4]), (1, -1), strict=True):
        people[0, hand.start, :2] = wrist
        for finger in range(5):
            angle = (finger - 2) * 0.35
            for joint in range(4):
                reach = 0.015 * (joint + 1)
                place = wrist[0] + side * reach * np.cos(angle), wrist[1] + 1.5 * reach * np.sin(angle)
                people[0, hand.start + 1 + 4 * finger + joint, :2] = place
    people[..., :2] *= (width, height)
    people[..., 2] = 1
    return people
