"""Draw skeletons as OpenPose does, in the colours and widths of VACE's training pictures."""

from __future__ import annotations

import colorsys
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from wangp_cli.media.resize import fit
from wangp_cli.preprocess.pose.keypoints import BODY, FACE, HANDS, LEAST_SCORE, People

PosePart = Literal["body", "hands", "face"]
Colour = tuple[int, int, int]
Point = tuple[float, float]
SHORT_SIDE = 1024
"""Pixels of the shorter side of the canvas; widths are in pixels of it."""
RAINBOW: tuple[Colour, ...] = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
    (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
    (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
"""Keypoints at both ends of each limb."""
FINGERS = tuple(
    ((0 if joint == 0 else finger * 4 + joint), finger * 4 + joint + 1)
    for finger in range(5)
    for joint in range(4)
)
"""Keypoints of a hand at both ends of each bone."""
_LIMB_HALF_WIDTH = _JOINT_RADIUS = 4
_LIMB_BRIGHTNESS = 0.6
_FACE_RADIUS = 3
_BONE_WIDTH = 2
_KNUCKLE: Colour = (0, 0, 255)


def draw_people(people: People, size: tuple[int, int], parts: tuple[PosePart, ...]) -> NDArray[np.uint8]:
    """Skeletons on black.

    Args:
        people: of a frame.
        size: width and height of the frame in pixels.
        parts: which parts of them.

    Returns:
        uint8 RGB `[height, width, 3]`.
    """
    scale = SHORT_SIDE / min(size)
    canvas = Image.new("RGB", (round(size[0] * scale), round(size[1] * scale)))
    scaled = people.copy()
    scaled[..., :2] *= scale
    shown = [[_place(point) for point in person] for person in scaled]
    if "body" in parts:
        canvas = _draw_bodies(canvas, [person[BODY] for person in shown])
    draw = ImageDraw.Draw(canvas)
    if "hands" in parts:
        for person in shown:
            for hand in HANDS:
                _draw_hand(draw, person[hand])
    if "face" in parts:
        for person in shown:
            for point in person[FACE]:
                _dot(draw, point, _FACE_RADIUS, (255, 255, 255))
    # The colours above are blue, green, red in VACE's own pictures.
    picture = np.asarray(canvas)[None, ..., ::-1]
    return np.asarray(fit(np.ascontiguousarray(picture), *size, "stretch")[0], np.uint8)


def _place(point: NDArray[np.float32]) -> Point | None:
    """Where a keypoint is; None if it is hidden."""
    return (float(point[0]), float(point[1])) if point[2] >= LEAST_SCORE else None


def _draw_bodies(canvas: Image.Image, bodies: list[list[Point | None]]) -> Image.Image:
    """Limbs, darkened where nothing of a joint lies over them."""
    draw = ImageDraw.Draw(canvas)
    for colour, (first, second) in zip(RAINBOW, LIMBS, strict=False):
        for body in bodies:
            start, end = body[first], body[second]
            if start and end:
                draw.polygon(_ellipse(start, end), fill=colour)
    canvas = canvas.point(lambda value: int(value * _LIMB_BRIGHTNESS))
    draw = ImageDraw.Draw(canvas)
    for colour, joint in zip(RAINBOW, range(len(RAINBOW)), strict=True):
        for body in bodies:
            _dot(draw, body[joint], _JOINT_RADIUS, colour)
    return canvas


def _ellipse(start: Point, end: Point) -> list[Point]:
    """The outline of an ellipse whose long axis joins two points."""
    first, second = np.array(start), np.array(end)
    along = (second - first) / 2
    length = max(float(np.hypot(*along)), 1e-6)
    across = np.array([-along[1], along[0]]) / length * _LIMB_HALF_WIDTH
    turn = np.deg2rad(np.arange(0, 360, 4))[:, None]
    outline = (first + second) / 2 + np.cos(turn) * along + np.sin(turn) * across
    return [(float(x), float(y)) for x, y in outline]


def _draw_hand(draw: ImageDraw.ImageDraw, hand: list[Point | None]) -> None:
    for number, (first, second) in enumerate(FINGERS):
        start, end = hand[first], hand[second]
        if start and end:
            red, green, blue = colorsys.hsv_to_rgb(number / len(FINGERS), 1, 1)
            colour = (int(red * 255), int(green * 255), int(blue * 255))
            draw.line([start, end], fill=colour, width=_BONE_WIDTH)
    for point in hand:
        _dot(draw, point, _JOINT_RADIUS, _KNUCKLE)


def _dot(draw: ImageDraw.ImageDraw, point: Point | None, radius: int, colour: Colour) -> None:
    if point:
        draw.circle(point, radius, fill=colour)
