"""Pixels that are not square, scaled to square ones."""

from __future__ import annotations

import math
from fractions import Fraction

from wangp_cli.media.clip import Frames
from wangp_cli.media.resize import fit

SQUARE = Fraction(1)
_TOLERANCE = Fraction(1, 100)
_MOST = 8
"""Pixels more than this many times as wide as high, or the reverse, are a broken tag."""


def pixel_aspect(width: float | Fraction | None, height: float | Fraction | None = 1) -> Fraction:
    """The width of a pixel by its height; square without a size, within 1 % of square, or of a broken tag."""
    if not width or not height or not 0 < width < math.inf or not 0 < height < math.inf:
        return SQUARE
    aspect = (Fraction(width) / Fraction(height)).limit_denominator(10_000)
    if abs(aspect - 1) <= _TOLERANCE or not Fraction(1, _MOST) <= aspect <= _MOST:
        return SQUARE
    return aspect


def square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """The size with square pixels: of the same height, or of the same width if only that gives an even side.

    Codecs want even sides; one is taken where it is within 1 % of exact.
    """
    if aspect == SQUARE:
        return width, height
    wide, high = width * aspect, height / aspect
    if _is_close(_even(wide), wide):
        return _even(wide), height
    if _is_close(_even(high), high):
        return width, _even(high)
    return max(1, round(wide)), height


def _even(side: Fraction) -> int:
    return 2 * max(1, round(side / 2))


def _is_close(side: int, exact: Fraction) -> bool:
    return abs(side - exact) <= exact * _TOLERANCE


def to_square(pixels: Frames, aspect: Fraction) -> Frames:
    """A picture `[H, W, C]` with pixels of this aspect, scaled to square ones."""
    if aspect == SQUARE:
        return pixels
    size = square_size(pixels.shape[1], pixels.shape[0], aspect)
    scaled: Frames = fit(pixels[None], *size, "stretch")[0]
    return scaled


def square_notice(width: int, height: int, aspect: Fraction) -> str:
    """What is changed of pictures of this stored size, for people."""
    size = "{}x{}".format(*square_size(width, height, aspect))
    return f"its pixels of {ratio_text(aspect)} are scaled to square ones, {width}x{height} to {size}"


def ratio_text(ratio: Fraction) -> str:
    """A ratio as people write it: `16:9`."""
    return f"{ratio.numerator}:{ratio.denominator}"
