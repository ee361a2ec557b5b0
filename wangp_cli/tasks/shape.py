"""The shapes of input files and of results: size, rate, frames and alpha."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from wangp_cli.tasks.fields import Pixels

SAME_SHAPE = 0.02
"""Largest relative difference of two equal aspect ratios: sizes are rounded to whole pixels."""


class Shape(NamedTuple):
    """Width and height of an input file in pixels, frames per second of a video, its frames, and alpha."""

    width: int
    height: int
    fps: Fraction | None = None
    frames: int = 1
    alpha: bool = False

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    def like(self, other: Shape) -> bool:
        """Whether both have the same aspect ratio, within `SAME_SHAPE`."""
        return abs(self.width * other.height / (self.height * other.width) - 1) <= SAME_SHAPE


class ResultShape(NamedTuple):
    """The result that a tool makes.

    Args:
        size: width and height in pixels.
        frames: their number.
        fps: frames per second; None if the result is an image.
        alpha: it has an alpha channel, which its codec must hold.
    """

    size: Pixels
    frames: int = 1
    fps: Fraction | None = None
    alpha: bool = False
