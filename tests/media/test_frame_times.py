"""Frames at a constant rate, from time stamps."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wangp_cli.errors import MediaError
from wangp_cli.media.frame_times import constant_times, snap_rate

NTSC_FILM = Fraction(24000, 1001)
MILLISECOND, CENTISECOND, MPEG = Fraction(1, 1000), Fraction(1, 100), Fraction(1, 90000)


def rounded(rate: Fraction, count: int, tick: Fraction, start: int = 0) -> list[int]:
    return [start + round(i / rate / tick) for i in range(count)]


def test_rates_of_millisecond_time_stamps_snap_to_standard_rates() -> None:
    assert snap_rate(Fraction(19001, 317)) == Fraction(60000, 1001)
    assert snap_rate(Fraction(2997003, 125000)) == Fraction(24000, 1001)
    assert snap_rate(Fraction(160001, 10000)) == Fraction(160001, 10000)
    assert snap_rate(Fraction(1600001, 100000)) == 16
    assert snap_rate(Fraction(25, 2)) == Fraction(25, 2)


@pytest.mark.parametrize(
    "rate", ["24000/1001", "30000/1001", "60000/1001", "24", "12.5", "15", "1/2", "50", "240"]
)
@pytest.mark.parametrize("tick", [MILLISECOND, MPEG])
@pytest.mark.parametrize("start", [-70, 0, 1483])
def test_rounded_stamps_of_a_constant_rate_give_it_exactly(rate: str, tick: Fraction, start: int) -> None:
    times = constant_times(rounded(Fraction(rate), 300, tick, start), tick, [])
    assert times.fps == Fraction(rate)
    assert list(times.pictures) == list(range(300))
    assert times.start == start * tick
    assert times.notice is None


@pytest.mark.parametrize(
    ("rate", "declared"),
    [(NTSC_FILM, NTSC_FILM), (Fraction(24), Fraction(24)), (Fraction(15), Fraction(100))],
)
def test_what_the_file_claims_decides_where_stamps_cannot_tell(rate: Fraction, declared: Fraction) -> None:
    assert constant_times(rounded(rate, 7, MILLISECOND), MILLISECOND, [declared]).fps == rate


@pytest.mark.parametrize(
    ("rate", "seen"), [("25", "25"), ("24", "24"), ("30", "30"), ("60", "60"), ("100", "100")]
)
def test_gif_rates_are_told_from_hundredths(rate: str, seen: str) -> None:
    stamps = rounded(Fraction(rate), 40, CENTISECOND)
    # FFmpeg's average of a GIF is rounded, too.
    assert constant_times(stamps, CENTISECOND, [Fraction(25), Fraction(283, 12)]).fps == Fraction(seen)


def test_soft_telecine_is_film() -> None:
    fields = accumulate([0] + [3, 2] * 30)
    times = constant_times([round(field * 1501.5) for field in fields], MPEG, [Fraction(30000, 1001)])
    assert times.fps == NTSC_FILM
    assert list(times.pictures) == list(range(61))


def test_jitter_of_a_recording_is_left_aside() -> None:
    jitter = np.random.default_rng(0).integers(-500, 500, 900)
    stamps = [round(i * 3003) + int(shift) for i, shift in enumerate(jitter)]
    times = constant_times(stamps, MPEG, [Fraction(2995, 100)])
    assert times.fps == Fraction(30000, 1001)
    assert times.notice is None


def test_a_rate_averaged_over_jitter_gives_way_to_a_standard_one() -> None:
    stamps = [i * 3000 + (-1) ** i * 400 for i in range(60)]
    assert constant_times(stamps, MPEG, [Fraction(301, 10), Fraction(30)]).fps == 30


def test_a_rate_that_is_no_standard_is_kept_where_it_fits() -> None:
    assert constant_times(
        rounded(Fraction(239, 10), 3, MILLISECOND), MILLISECOND, [Fraction(239, 10)]
    ).fps == Fraction(239, 10)


def test_a_first_frame_that_came_early_does_not_shift_the_rounding() -> None:
    stamps = [0, *(round((i + 0.45) * 100 / 3) + i % 3 for i in range(1, 100))]
    assert list(constant_times(stamps, MILLISECOND, []).pictures) == list(range(100))


def test_a_gap_repeats_the_frame_before_it() -> None:
    stamps = [stamp for n, stamp in enumerate(rounded(Fraction(24), 72, MILLISECOND)) if not 6 <= n < 18]
    times = constant_times(stamps, MILLISECOND, [Fraction(24)])
    assert (times.fps, len(times.pictures), times.stored) == (Fraction(24), 72, 60)
    assert list(times.pictures) == [*range(6), *[5] * 12, *range(6, 60)]
    assert times.notice is not None
    assert "72 frames of 60 pictures, 12 repeated and 0 dropped" in times.notice


def test_a_long_last_frame_is_repeated() -> None:
    assert list(constant_times([0, 4, 8, 12], CENTISECOND, [], last=20).pictures) == [0, 1, 2, 3, 3, 3, 3, 3]
    assert list(constant_times([0, 4, 8, 12], CENTISECOND, [], last=5).pictures) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "delays",
    [
        [10, 20, 10, 50, 10, 7],
        [7, 13, 50, 100, 31],
        [3, 3, 12, 3, 7, 3, 40, 3],
        [50, 4, 4, 50, 4, 4, 4, 90, 4],
    ],
)
def test_unequal_delays_are_resampled_within_a_frame_of_their_times(delays: Sequence[int]) -> None:
    stamps = [0, *accumulate(delays)]
    times = constant_times(stamps[:-1], CENTISECOND, [], last=delays[-1])
    assert len(times.pictures) / times.fps == pytest.approx(stamps[-1] / 100, abs=float(1 / times.fps))
    for picture, stamp in enumerate(stamps[:-1]):
        if picture in times.pictures:
            assert list(times.pictures).index(picture) / times.fps == pytest.approx(
                stamp / 100, abs=float(1 / times.fps)
            )
    assert times.notice is not None


def test_bursts_are_dropped_and_pauses_filled() -> None:
    """A screen recording: mostly 30 frames a second, 60 in bursts, nothing while nothing moves."""
    steps = [33] * 30 + [16, 17] * 6 + [500] + [33] * 30 + [2000] + [33] * 30
    stamps = [0, *accumulate(steps)]
    times = constant_times(stamps, MILLISECOND, [Fraction(1000)])
    assert times.fps == pytest.approx(30, rel=0.02)
    for frame, picture in enumerate(times.pictures):
        assert stamps[picture] / 1000 <= float((frame + 1) / times.fps)
    assert len(times.pictures) / times.fps == pytest.approx(stamps[-1] / 1000, abs=0.1)


@pytest.mark.parametrize(("first", "second"), [("24", "30"), ("30", "24"), ("25", "50")])
def test_clips_of_two_rates_in_one_file_keep_the_rate_of_the_more_frequent(first: str, second: str) -> None:
    rates = [Fraction(first)] * 60 + [Fraction(second)] * 80
    stamps = [round(seconds * 90000) for seconds in accumulate([Fraction(0), *(1 / rate for rate in rates)])]
    times = constant_times(stamps, MPEG, [])
    assert times.fps == Fraction(second)
    assert times.notice is not None
    for picture, stamp in enumerate(stamps):
        if picture in times.pictures:
            shown = list(times.pictures).index(picture) / times.fps
            assert float(shown) == pytest.approx(stamp / 90000, abs=float(1 / times.fps))


@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_dropped_frames_leave_the_rate_exact(lost: float) -> None:
    kept = np.flatnonzero(np.random.default_rng(1).random(3000) >= lost)
    stamps = [round(int(n) * 1001 / 24) for n in kept]
    times = constant_times(stamps, MILLISECOND, [Fraction(20)])
    assert times.fps == NTSC_FILM
    assert len(times.pictures) == kept[-1] - kept[0] + 1
    assert times.stored == len(set(times.pictures)) == len(kept)


def test_pictures_a_millisecond_apart_do_not_make_the_rate() -> None:
    stamps = [0, *accumulate([1, 82] * 40)]
    times = constant_times(stamps, MILLISECOND, [])
    assert times.fps == pytest.approx(12, rel=0.02)
    assert len(times.pictures) / times.fps == pytest.approx(stamps[-1] / 1000, abs=0.2)


@pytest.mark.parametrize("stamps", [[0, 1, 10**13], [5, 5, 5]])
def test_impossible_stamps_are_an_error(stamps: list[int]) -> None:
    with pytest.raises(MediaError):
        constant_times(stamps, MILLISECOND, [])


def test_one_picture_has_the_rate_of_its_duration_or_of_the_file() -> None:
    assert constant_times([7], MILLISECOND, [], last=40).fps == 25
    assert constant_times([7], MILLISECOND, [Fraction(24)]).fps == 24
    with pytest.raises(MediaError, match="no frame rate"):
        constant_times([7], MILLISECOND, [])


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.sampled_from([40, 33, 34, 17]) | st.integers(1, 200), min_size=1, max_size=40),
    last=st.integers(1, 200),
    tick=st.sampled_from([MILLISECOND, CENTISECOND, Fraction(1, 30)]),
)
def test_every_picture_is_shown_within_a_frame_of_its_time(
    steps: list[int], last: int, tick: Fraction
) -> None:
    stamps = [0, *accumulate(steps)]
    times = constant_times(stamps, tick, [], last)
    pictures = list(times.pictures)
    assert pictures == sorted(pictures)
    for picture, stamp in enumerate(stamps):
        if picture in pictures:
            assert abs(pictures.index(picture) - stamp * tick * times.fps) < 1.01
    assert abs(len(pictures) - (stamps[-1] + last) * tick * times.fps) < 3
