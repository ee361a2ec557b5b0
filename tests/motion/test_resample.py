"""Frames at another rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest

from tests.support.clips import moving, numbered, numbers
from tests.support.moving_scenes import MovingScene
from wangp_cli.media.clip import Frames, as_float, chunks
from wangp_cli.motion.interpolate import ClassicInterpolator
from wangp_cli.motion.resample import LONGEST_RUN, replace_duplicates, resample


class Mixing:
    """An interpolator that mixes both frames, and notes the times that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def with_scale(self, _: float) -> Mixing:
        return self

    def between(self, first: Frames, second: Frames, times: Sequence[float]) -> Iterator[Frames]:
        self.asked.append(list(times))
        for time in times:
            yield as_float(first) * (1 - time) + as_float(second) * np.float32(time)


def resampled(
    frames: Frames, step: Fraction, interpolator: Mixing | ClassicInterpolator | None = None
) -> Frames:
    pieces = chunks(frames, 3)
    return np.concatenate(list(resample(pieces, step, interpolator or Mixing(), hold_cuts=False)))


@pytest.mark.parametrize("factor", [1, 2, 3, 8, 64])
def test_a_factor_makes_frames_between_all_and_keeps_the_frames_themselves(factor: int) -> None:
    frames = moving(5)
    made = resampled(frames, Fraction(1, factor))
    assert len(made) == 4 * factor + 1
    assert np.array_equal(made[::factor], frames)
    assert made.dtype == frames.dtype


@pytest.mark.parametrize(
    ("source", "target"),
    [("24", "60"), ("24000/1001", "60000/1001"), ("16", "24"), ("30", "30"), ("60", "24"), ("25", "7")],
)
def test_every_frame_stands_at_its_exact_place(source: str, target: str) -> None:
    step = Fraction(source) / Fraction(target)
    frames = np.linspace(0, 1, 40, dtype=np.float32)[:, None, None, None] * np.ones((1, 4, 4, 3), np.float32)
    made = resampled(frames, step)
    places = [number * step for number in range(len(made))]
    assert places[-1] <= 39 < places[-1] + step
    assert made[:, 0, 0, 0] * 39 == pytest.approx([float(place) for place in places], abs=1e-4)


def test_at_a_whole_place_nothing_is_interpolated() -> None:
    mixing = Mixing()
    assert numbers(resampled(numbered(7), Fraction(2), mixing)) == [0, 2, 4, 6]
    assert mixing.asked == []


def test_the_frames_of_one_pair_are_asked_for_at_once() -> None:
    mixing = Mixing()
    resampled(moving(3), Fraction(1, 4), mixing)
    assert mixing.asked == [[0.25, 0.5, 0.75]] * 2


def test_nothing_and_one_frame_stay_what_they_are() -> None:
    assert list(resample([], Fraction(1, 2), Mixing())) == []
    assert len(resampled(moving(1), Fraction(1, 2))) == 1


def test_a_cut_is_held_and_not_morphed() -> None:
    one, other = moving(2), 255 - moving(2)
    made = list(resample([one, other], Fraction(1, 4), Mixing()))
    assert len(made) == 13
    assert all(np.array_equal(frame[0], one[1]) for frame in made[4:8])
    assert np.array_equal(made[8][0], other[0])


def test_duplicates_are_replaced_by_motion_and_the_count_stays() -> None:
    clip = MovingScene(21, width=128, height=96, layers=2, speed=8).clip(3)
    frames = clip[[0, 0, 0, 1, 1, 2]]
    mixing = Mixing()
    made = np.concatenate(list(replace_duplicates(chunks(frames, 2), mixing)))
    assert mixing.asked == [[pytest.approx(1 / 3), pytest.approx(2 / 3)], [0.5]]
    assert np.array_equal(made[[0, 3, 5]], clip)
    assert not np.array_equal(made[1], clip[0])


def test_a_picture_that_stands_still_keeps_standing_still() -> None:
    clip = MovingScene(22, width=128, height=96, layers=2, speed=8).clip(2)
    frames = np.concatenate([np.repeat(clip[:1], LONGEST_RUN + 3, axis=0), clip[1:], clip[1:]])
    mixing = Mixing()
    assert np.array_equal(np.concatenate(list(replace_duplicates(chunks(frames), mixing))), frames)
    assert mixing.asked == []


def test_duplicates_before_a_cut_stay() -> None:
    frames = np.concatenate([moving(1), moving(1), 255 - moving(1)])
    mixing = Mixing()
    assert np.array_equal(np.concatenate(list(replace_duplicates([frames], mixing))), frames)
    assert mixing.asked == []


def test_alpha_is_interpolated_beside_the_colours() -> None:
    frames = moving(2, channels=4)
    made = resampled(frames, Fraction(1, 2))
    assert made.shape == (3, *frames.shape[1:])
    colours, alpha = (
        resampled(part, Fraction(1, 2)) for part in (frames[..., :3], np.repeat(frames[..., 3:], 3, 3))
    )
    assert np.array_equal(made[..., :3], colours)
    assert np.array_equal(made[..., 3], alpha[..., 0])
