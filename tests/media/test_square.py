"""Pixels that are not square."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.support.clips import moving, psnr
from wangp_cli.media.resize import fit
from wangp_cli.media.square import SQUARE, pixel_aspect, square_size, to_square


@pytest.mark.parametrize(
    ("stored", "aspect", "size"),
    [
        ((720, 480), "8/9", (640, 480)),
        ((720, 480), "32/27", (854, 480)),
        ((720, 480), "10/11", (654, 480)),
        ((720, 576), "64/45", (1024, 576)),
        ((1440, 1080), "4/3", (1920, 1080)),
        ((128, 96), "16/11", (186, 96)),
        ((64, 48), "8/9", (64, 54)),
        ((1, 4), "1/4", (1, 16)),
        ((33, 33), "8/9", (29, 33)),
        ((201, 101), "1", (201, 101)),
    ],
)
def test_one_side_stays_and_the_other_is_even_where_it_can(
    stored: tuple[int, int], aspect: str, size: tuple[int, int]
) -> None:
    assert square_size(*stored, Fraction(aspect)) == size


@pytest.mark.parametrize("aspect", [None, 0, -1, Fraction(4096, 4095), Fraction(101, 100), 1000])
def test_pixels_count_as_square_without_a_tag_that_says_otherwise(aspect: Fraction | None) -> None:
    assert pixel_aspect(aspect) == SQUARE


def test_densities_of_axes_give_the_aspect() -> None:
    assert pixel_aspect(144, 72) == 2
    assert pixel_aspect(98.0, 204.0) == Fraction(49, 102)


def test_pictures_are_scaled_with_their_alpha() -> None:
    wide, stored = moving(1, 96, 32, 4), fit(moving(1, 96, 32, 4), 64, 32, "stretch")
    assert psnr(to_square(stored[0], Fraction(3, 2)), wide[0]) > 40
    assert np.array_equal(to_square(stored[0], SQUARE), stored[0])
