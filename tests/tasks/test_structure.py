"""Where control videos are used."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.tasks.structure import StructureOptions


def spans(lengths: list[int], **said: Any) -> list[tuple[int, int, int, int | None]]:
    """Start and end of each span in a result of 81 frames at 16 fps, 8 of them kept; first and last used."""
    found = StructureOptions(**said).guide_spans(81, 8, lengths, Fraction(16))
    return [(span.start, span.end, span.first, span.last) for span in found]


def test_one_video_guides_all_new_frames() -> None:
    assert spans([]) == []
    assert spans([50]) == [(8, 81, 0, None)]
    assert spans([50], guide_range=["8-40"], guide_cut=["1s-2s"]) == [(8, 41, 16, 31)]


@pytest.mark.parametrize(
    ("lengths", "said", "field"),
    [
        ([50, 50], {}, "video_guide"),
        ([50], {"guide_range": ["8-9", "10-11"]}, "guide_range"),
        ([50], {"guide_cut": ["40-50"]}, "guide_cut"),
        ([50], {"guide_timing": "off"}, "video_guide"),
    ],
)
def test_ranges_that_do_not_fit_are_refused(lengths: list[int], said: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        spans(lengths, **said)
    assert caught.value.field == field
