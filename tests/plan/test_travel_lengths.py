"""Counts, lengths and overlaps of the segments of a travel."""

from __future__ import annotations

import pytest

from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.travel_lengths import lengths_on_grid, seam_overlaps, segment_count


@pytest.mark.parametrize(
    ("images", "values", "before", "loop", "ends", "count"),
    [
        (3, 1, 0, False, True, 2),
        (3, 1, 0, False, False, 3),
        (3, 1, 9, False, True, 3),
        (3, 1, 0, True, True, 3),
        (1, 4, 0, False, True, 4),
        (0, 2, 9, False, True, 2),
    ],
)
def test_there_is_a_segment_for_each_pair_of_neighbours(
    images: int, values: int, before: int, loop: bool, ends: bool, count: int
) -> None:
    assert segment_count(images, values, before, loop, ends) == count


def test_lengths_are_set_on_the_grid_and_told_once() -> None:
    notices: list[Notice] = []
    assert lengths_on_grid([80, 80, 81], Grid(), notices) == [81, 81, 81]
    assert list(map(str, notices)) == ["frames: 80 became 81, which the model can make"]


def test_only_chained_segments_overlap_as_asked() -> None:
    notices: list[Notice] = []
    assert seam_overlaps("chained", [9], [17, 5], Grid(), notices) == [5]
    assert seam_overlaps("independent", [8], [17, 17], Grid(), notices) == [0]
    assert seam_overlaps("svi", [8], [17, 17], Grid(), notices) == [4]
    assert len(notices) == 3
