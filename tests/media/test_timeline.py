"""Drawing of guide and result over a timeline."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from wangp_cli.media.clip import Frames
from wangp_cli.media.timeline import PANEL_HEIGHT, TimelineContent, TimelineRenderer

RED, BLUE = ((255, 0, 0), (0, 0, 255))


def plain(colour: tuple[int, int, int]) -> Frames:
    return np.full((1, 48, 64, 3), colour, np.uint8)


def content(total: int = 11, anchors: int = 0) -> TimelineContent:
    places = [(round(index * (total - 1) / max(1, anchors - 1)), plain(RED)) for index in range(anchors)]
    return TimelineContent(total=total, fps=Fraction(16), size=(64, 48), generated=[(3, 8)], anchors=places)


def test_guide_and_result_are_side_by_side_at_even_sizes() -> None:
    image = TimelineRenderer(content()).draw(0, plain(RED), plain(BLUE))[0]
    height, width, _ = image.shape
    assert (height % 2, width % 2) == (0, 0)
    middle = PANEL_HEIGHT // 2
    assert tuple(image[middle, width // 4]) == RED
    assert tuple(image[middle, 3 * width // 4]) == BLUE


def test_the_cursor_moves_from_the_left_to_the_right_and_nothing_else_changes_below() -> None:
    renderer = TimelineRenderer(content())
    first, last = (renderer.draw(index, plain(RED), plain(BLUE))[0] for index in (0, 10))
    changed = np.flatnonzero((first[PANEL_HEIGHT + 60 :] != last[PANEL_HEIGHT + 60 :]).any(axis=(0, 2)))
    width = first.shape[1]
    assert changed.min() < width // 8
    assert changed.max() > 7 * width // 8
    assert not ((changed > width // 8) & (changed < 7 * width // 8)).any()


def test_anchors_add_thumbnails_below_the_bar_that_fit_beside_each_other() -> None:
    without = TimelineRenderer(content()).draw(0, plain(BLUE), plain(BLUE))[0]
    several, many = (
        TimelineRenderer(content(101, count)).draw(0, plain(BLUE), plain(BLUE))[0] for count in (3, 30)
    )
    assert several.shape[0] == many.shape[0] > without.shape[0]
    reds = [(image == RED).all(axis=2).sum() for image in (without, several, many)]
    assert reds[0] == 0
    assert reds[1] / 3 > reds[2] / 30 > 0
