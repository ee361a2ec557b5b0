"""Film grain."""

from __future__ import annotations

import numpy as np
import pytest

from wangp_cli.finishing.grain import add_grain
from wangp_cli.media.clip import Frames

GREY = np.full((1, 128, 128, 3), 0.5, np.float32)


def grain(index: int = 0, *, seed: int = 1, intensity: float = 0.05, saturation: float = 0.5) -> Frames:
    return add_grain(GREY, index, seed=seed, intensity=intensity, saturation=saturation) - GREY


def test_the_grain_of_a_frame_is_the_same_in_every_run_and_of_no_other() -> None:
    assert np.array_equal(grain(3), grain(3))
    assert not np.array_equal(grain(3), grain(4))
    assert not np.array_equal(grain(3), grain(3, seed=2))


@pytest.mark.parametrize("saturation", [0.0, 0.5, 1.0])
def test_its_strength_in_each_colour_is_that_of_the_formula(saturation: float) -> None:
    # The grain of green is shared by all colours, in the part that is not saturated.
    own = saturation * np.array([2.0, 1.0, 3.0])
    expected = 0.05 * np.sqrt(own**2 + (1 - saturation) ** 2)
    expected[1] = 0.05
    measured = grain(saturation=saturation).std(axis=(0, 1, 2))
    assert measured == pytest.approx(expected, rel=0.03)
    assert np.abs(grain(saturation=saturation).mean(axis=(0, 1, 2))).max() < 0.005


def test_grey_grain_is_the_same_in_all_colours() -> None:
    noise = grain(saturation=0)
    assert np.array_equal(noise[..., 0], noise[..., 2])


def test_without_intensity_a_frame_is_unchanged() -> None:
    assert add_grain(GREY, 0, seed=1, intensity=0) is GREY


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 65535)])
def test_values_stay_in_range_and_of_their_type_and_alpha_is_kept(dtype: type, most: int) -> None:
    frame: Frames = np.zeros((1, 32, 32, 4), dtype)
    frame[..., 1], frame[..., 3] = most, 7
    made = add_grain(frame, 0, seed=1, intensity=0.5)
    assert made.dtype == dtype
    assert (made[..., 3] == 7).all()
    assert made[..., 1].max() == most
    assert 0 < made[..., 0].mean() < most / 2


def test_grey_frames_have_one_grain() -> None:
    frame = np.full((1, 64, 64, 1), 0.5, np.float32)
    assert (add_grain(frame, 0, seed=1, intensity=0.05) - frame).std() == pytest.approx(0.05, rel=0.05)
