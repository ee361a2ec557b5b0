"""Contact sheets."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clips import flat, moving
from wangp_cli.errors import RequestError
from wangp_cli.media.clip import Clip
from wangp_cli.media.sheet import contact_sheet, evenly_spaced, frame_labels, timestamp


@given(st.integers(1, 500), st.integers(1, 40))
def test_chosen_frames_are_even_and_hold_both_ends(total: int, count: int) -> None:
    chosen = evenly_spaced(total, count)
    assert len(chosen) == min(total, count)
    assert all(0 <= index < total for index in chosen)
    if count > 1:
        assert (chosen[0], chosen[-1]) == (0, total - 1)
        gaps = np.diff(chosen)
        assert np.ptp(gaps) <= 1 if len(gaps) else True
        assert np.all(gaps > 0)


def test_labels_tell_number_and_time() -> None:
    assert timestamp(0, Fraction(16)) == "0:00.00"
    assert timestamp(24 * 75 + 6, Fraction(24)) == "1:15.25"
    assert timestamp(2997, Fraction(30000, 1001)) == "1:40.00"
    assert frame_labels([3, 8], Fraction(16)) == ["3 \u00b7 0:00.19", "8 \u00b7 0:00.50"]
    assert frame_labels([3, 8]) == ["3", "8"]


def test_frames_stand_in_rows_on_a_dark_page() -> None:
    frames = np.concatenate([flat(1, value, 32) for value in (0.4, 0.6, 0.8, 1.0)])
    page = contact_sheet(frames, count=4, columns=2, width=300)
    assert page.dtype == np.uint8
    assert page.shape[0] == 1
    assert page.shape[2:] == (300, 3)
    for value in (102, 153, 204, 255):
        # Each frame covers most of a quarter of the width.
        assert np.all(page[0] == value, axis=2).sum() >= 0.9 * (133 * 133)
    assert np.all(page[0, :4] < 40)


def test_labels_are_drawn_under_their_frames() -> None:
    page = contact_sheet(flat(2, 0.0, 32), count=2, columns=2, width=300)[0]
    assert page[-34:].max() > 150


def test_several_sources_have_a_row_each() -> None:
    clip = Clip(frames=moving(9), fps=Fraction(16))
    one = contact_sheet([clip], columns=3, width=320)
    two = contact_sheet([clip, moving(2, channels=4)], columns=3, width=320, labels=["a", "b"])
    assert two.shape[1] > 1.7 * one.shape[1]


def test_a_title_takes_room_whatever_it_holds() -> None:
    plain = contact_sheet(moving(2), width=320)
    titled = contact_sheet(moving(2), width=320, title="dusk \u2014 \u732b \x1b[31m " + "long " * 100)
    assert titled.shape[1] > plain.shape[1]


def test_alpha_shows_over_a_checkerboard() -> None:
    clear = np.zeros((1, 64, 64, 4), np.uint8)
    page = contact_sheet(clear, columns=1, width=120)[0]
    assert {58, 74} <= set(np.unique(page[20:80, 20:80]).tolist())


def test_what_cannot_be_shown_is_an_error() -> None:
    with pytest.raises(RequestError, match="none to show"):
        contact_sheet(moving(2)[:0])
    with pytest.raises(RequestError, match="too narrow"):
        contact_sheet(moving(2), columns=8, width=100)
    with pytest.raises(RequestError, match="labels: 1, wanted 2"):
        contact_sheet(moving(2), labels=["x"])
