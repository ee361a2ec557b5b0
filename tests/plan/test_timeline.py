"""Control videos on the output's timeline."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.errors import RequestError
from wangp_cli.plan.timeline import (
    ClipLength,
    GuideRange,
    GuideSpan,
    Timing,
    resample_frame_indices,
    resolve_guide_spans,
    stretch_frame_indices,
)


def test_an_adjusted_video_is_spread_from_end_to_end() -> None:
    assert stretch_frame_indices(10, 6) == [0, 1, 3, 5, 7, 9]
    assert stretch_frame_indices(3, 7) == [0, 0, 0, 1, 1, 1, 2]
    assert stretch_frame_indices(5, 1) == [0]


@pytest.mark.parametrize(
    ("have", "rate", "count", "wanted"),
    [
        (30, 30, 16, [0, 2, 4, 6, 8, 10, 12, 14, 15, 17, 19, 21, 23, 25, 27, 29]),
        (24, 24, 10, [0, 2, 3, 5, 6, 8, 9, 11, 12, 14]),
        (8, 8, 15, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]),
    ],
)
def test_a_clipped_video_keeps_its_speed(have: int, rate: int, count: int, wanted: list[int]) -> None:
    assert resample_frame_indices(have, Fraction(rate), count, Fraction(16), "off") == wanted


def test_a_short_video_goes_on_as_asked() -> None:
    assert resample_frame_indices(30, Fraction(30), 20, Fraction(16))[16:] == [0, 2, 4, 6]
    assert resample_frame_indices(30, Fraction(30), 20, Fraction(16), "hold")[15:] == [29] * 5
    with pytest.raises(RequestError, match="video_guide: reaches 16 of 20 frames"):
        resample_frame_indices(30, Fraction(30), 20, Fraction(16), "off")
    with pytest.raises(RequestError, match="video_guide: has no frames"):
        stretch_frame_indices(0, 3)


@given(st.integers(1, 90), st.sampled_from(["8", "24000/1001", "60"]), st.integers(0, 90))
def test_numbers_are_frames_of_the_video(have: int, rate: str, count: int) -> None:
    for found in (
        stretch_frame_indices(have, count),
        resample_frame_indices(have, Fraction(rate), count, Fraction(16), "hold"),
    ):
        assert len(found) == count
        assert found == sorted(found)
        assert set(found) <= set(range(have))


def test_videos_follow_each_other() -> None:
    assert resolve_guide_spans(100, [GuideRange(start=60), GuideRange(end=60), GuideRange(start=120)]) == [
        (60, 100),
        (0, 60),
        (100, 100),
    ]
    assert resolve_guide_spans(50, [GuideRange(start=20, end=90)]) == [(20, 50)]


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ([GuideRange(start=5, end=5)], "number 0 is on frames 5 to 5"),
        ([GuideRange(start=-1)], "number 0 is on frames -1 to 100"),
        ([GuideRange(start=50), GuideRange(start=10, end=51)], "numbers 1 and 0 overlap on frame 50"),
    ],
)
def test_videos_in_each_others_way_are_named(videos: list[GuideRange], message: str) -> None:
    with pytest.raises(RequestError, match=f"^video_guide: {message}"):
        resolve_guide_spans(100, videos)


@pytest.mark.parametrize(
    ("guide", "wanted"),
    [
        (GuideSpan(video=0, start=4, end=9), [0, 2, 5, 8, 11]),
        (GuideSpan(video=0, start=0, end=5, first=2, last=4), [4, 5, 6, 7, 9]),
        (GuideSpan(video=0, start=0, end=5, timing="trim"), [0, 2, 4, 6, 8]),
        (GuideSpan(video=0, start=0, end=8, timing="trim"), [0, 2, 4, 6, 8, 10, 11, 11]),
        (GuideSpan(video=0, start=0, end=8, timing="loop"), [0, 2, 4, 6, 8, 10, 0, 2]),
        (GuideSpan(video=0, start=0, end=5, first=1, last=2, timing="loop"), [2, 4, 2, 4, 2]),
        (GuideSpan(video=0, start=0, end=6, timing="off"), [0, 2, 4, 6, 8, 10]),
    ],
)
def test_each_frame_of_a_place_has_one_of_the_video(guide: GuideSpan, wanted: list[int]) -> None:
    assert guide.frame_indices(12, Fraction(16), Fraction(8)) == wanted


@pytest.mark.parametrize(
    ("guide", "rate", "fps", "wanted"),
    [
        (GuideSpan(video=0, start=0, end=8, first=4, timing="trim"), 30, 16, [8, 10, 12, 14, 15, 17, 19, 21]),
        (GuideSpan(video=0, start=0, end=6, first=1, last=3, timing="loop"), 30, 16, [2, 4, 6, 2, 4, 6]),
        (GuideSpan(video=0, start=0, end=4, first=3, timing="off"), 24, 16, [5, 6, 8, 9]),
        (GuideSpan(video=0, start=0, end=4, first=99, timing="trim"), 24, 16, [59] * 4),
    ],
)
def test_a_cut_rounds_the_time_of_each_frame_once(
    guide: GuideSpan, rate: int, fps: int, wanted: list[int]
) -> None:
    assert guide.frame_indices(60, Fraction(rate), Fraction(fps)) == wanted


@given(st.integers(0, 20), st.integers(1, 30), st.sampled_from(["8", "24000/1001", "30", "60"]))
def test_a_cut_shows_what_the_whole_video_shows_there(first: int, count: int, rate: str) -> None:
    cut = GuideSpan(video=0, start=0, end=count, first=first, timing="trim")
    whole = GuideSpan(video=0, start=0, end=first + count, timing="trim")
    indices = [guide.frame_indices(90, Fraction(rate), Fraction(16)) for guide in (cut, whole)]
    assert indices[0] == indices[1][first:]


@given(
    st.integers(1, 60), st.sampled_from(["8", "24000/1001", "60"]), st.integers(1, 90), st.integers(0, 20),
    st.sampled_from(["fit", "trim", "loop"]),
)  # fmt: skip
def test_guides_name_frames_that_are_there(
    have: int, rate: str, count: int, first: int, timing: Timing
) -> None:
    guide = GuideSpan(video=0, start=3, end=3 + count, first=first, timing=timing)
    found = guide.frame_indices(have, Fraction(rate), Fraction(16))
    assert len(found) == count
    assert set(found) <= set(range(have))


def test_planning_needs_no_arrays() -> None:
    code = (
        "import sys; from wangp_cli.plan import timeline; print({'numpy', 'torch', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_files_of_as_many_frames_pair_by_number_others_by_time() -> None:
    video, portion = ClipLength(40, Fraction(30000, 1001)), ClipLength(12, Fraction(30000, 1001))
    by_number = ClipLength(40, Fraction(30)).beside(video, portion)
    assert by_number.at(Fraction(30000, 1001)) == 40
    assert by_number.indices(40, Fraction(30000, 1001)) == list(range(40))
    assert ClipLength(12, Fraction(60)).beside(video, portion).at(Fraction(30000, 1001)) == 12
    by_time = ClipLength(80, Fraction(60000, 1001)).beside(video, portion)
    assert by_time.at(Fraction(30000, 1001)) == 40
    assert by_time.indices(40, Fraction(30000, 1001)) == list(range(0, 80, 2))


def test_a_guide_as_long_as_its_range_is_not_shifted_by_a_rounded_rate() -> None:
    timings: tuple[Timing, ...] = ("trim", "loop", "off")
    for timing in timings:
        span = GuideSpan(video=0, start=0, end=40, timing=timing)
        assert span.frame_indices(40, Fraction(30), Fraction(30000, 1001)) == list(range(40))
        assert span.frame_indices(40, Fraction(60), Fraction(30))[:3] == [0, 2, 4]
