"""Colour match of a video to reference images."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from wangp_cli.finishing.colour import match_colours
from wangp_cli.finishing.stream import VideoStream
from wangp_cli.media.clip import Frames
from wangp_cli.media.match import colour_statistics, from_lab


def texture(mean: tuple[float, float, float], seed: int = 0, count: int = 1) -> Frames:
    """Frames whose mean in L*a*b* is about `mean`."""
    noise = np.random.default_rng(seed).normal(0, 8, (count, 24, 24, 3)).astype(np.float32)
    return from_lab(noise + np.array(mean, np.float32))


WARM, COOL, GREY = texture((60, 20, 25)), texture((40, -5, -20), 1), texture((50, 0, 0), 2, count=5)


def matched(start: Frames | None, end: Frames | None, strength: float = 1.0) -> Frames:
    video = VideoStream(frames=[GREY[:2], GREY[2:]], count=5, rate=Fraction(16))
    return np.concatenate(list(match_colours(video, start=start, end=end, strength=strength).frames))


def mean(frame: Frames) -> list[float]:
    return [float(value) for value in colour_statistics(frame[None]).mean]


def test_colours_go_from_those_of_one_image_to_those_of_the_other() -> None:
    frames = matched(WARM, COOL)
    assert mean(frames[0]) == pytest.approx(mean(WARM[0]), abs=1.5)
    assert mean(frames[4]) == pytest.approx(mean(COOL[0]), abs=1.5)
    # In the middle 3/8 of each, and 1/4 of the frame's own.
    middle = (
        0.375 * np.array(mean(WARM[0])) + 0.375 * np.array(mean(COOL[0])) + 0.25 * np.array(mean(GREY[2]))
    )
    assert mean(frames[2]) == pytest.approx(middle.tolist(), abs=2)


def test_one_image_alone_gives_its_colours_to_all_frames() -> None:
    for frames in (matched(WARM, None), matched(None, WARM)):
        assert all(mean(frame) == pytest.approx(mean(WARM[0]), abs=1.5) for frame in frames)


def test_strength_is_the_share_of_the_change() -> None:
    half = matched(WARM, None, 0.5)
    between = (np.array(mean(WARM[0])) + np.array(mean(GREY[0]))) / 2
    assert mean(half[0]) == pytest.approx(between.tolist(), abs=1.5)
    assert np.array_equal(matched(WARM, COOL, 0), GREY)
    assert np.array_equal(matched(None, None), GREY)
