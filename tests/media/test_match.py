"""Colours given from one clip to another."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.clips import flat, moving
from wangp_cli.media.clip import Frames, as_float, as_uint8
from wangp_cli.media.match import (
    adjust,
    apply_transfers,
    colour_statistics,
    colour_transfer,
    compare_redrawn,
    from_lab,
    to_lab,
    transfer_weights,
    transfers_between,
)


def tinted(frames: Frames, *shift: float) -> Frames:
    """The frames with a constant added in L*, a* and b*."""
    return from_lab(to_lab(frames) + np.array(shift, np.float32))


def matched(frames: Frames, reference: Frames, strength: float = 1.0) -> Frames:
    """The frames in the colours of a reference, by one change for all."""
    change = colour_transfer(colour_statistics(frames), colour_statistics(reference))
    return apply_transfers(frames, [(change, np.full(len(frames), strength))])


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_is_that_of_the_tables(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    assert to_lab(np.array(rgb, np.uint8)).tolist() == pytest.approx(lab, abs=0.03)


def test_lab_and_back_is_the_same() -> None:
    values = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    assert np.abs(from_lab(to_lab(values)) - values).max() < 1e-5


def test_a_tint_is_taken_off_again() -> None:
    clip = as_float(moving(4)) * 0.6 + 0.2
    drifted = tinted(clip, 4, 6, -5)
    assert np.abs(drifted - clip).max() > 0.05
    assert np.abs(matched(drifted, clip) - clip).max() < 2 / 255
    half = to_lab(matched(drifted, clip, 0.5)).mean() - to_lab(clip).mean()
    assert half == pytest.approx((4 + 6 - 5) / 3 / 2, abs=0.1)


def test_the_reference_may_have_another_size_and_length() -> None:
    clip = as_float(moving(4)) * 0.6 + 0.2
    found = colour_statistics(matched(tinted(clip, 4, 6, -5), moving(9, 30, 20)))
    assert found.mean == pytest.approx(colour_statistics(moving(9, 30, 20)).mean, abs=3)


def test_colours_of_some_pixels_are_those_alone() -> None:
    clip = as_float(moving(4))
    where = np.zeros(clip.shape[:3], bool)
    where[1:3, 10:20, 5:30] = True
    some, cut = colour_statistics(clip, where), colour_statistics(clip[1:3, 10:20, 5:30])
    assert some.mean == pytest.approx(cut.mean)
    assert some.spread == pytest.approx(cut.spread)


def test_no_strength_changes_no_bit() -> None:
    clip = moving(3)
    assert np.array_equal(matched(clip, flat(1, 0.2), 0), clip)


def test_plane_colours_are_moved_not_stretched() -> None:
    noisy = flat(2, 0.5) + np.random.default_rng(0).normal(0, 0.002, (2, 8, 8, 3)).astype(np.float32)
    change = colour_transfer(colour_statistics(noisy), colour_statistics(moving(2)))
    assert change.gain.max() <= 10
    assert matched(noisy, flat(1, 0.25))[..., 0].std() < 0.004
    assert matched(noisy, flat(1, 0.25)).mean() == pytest.approx(0.25, abs=0.01)


def test_the_spread_has_limits() -> None:
    flat_target = colour_transfer(colour_statistics(moving(2)), colour_statistics(flat(1, 0.5)))
    assert flat_target.gain.tolist()[1:] == [0.4, 0.4]
    assert flat_target.gain[0] >= 0.1


def test_alpha_and_dtype_are_kept() -> None:
    clip = moving(2, channels=4)
    found = matched(clip, moving(1))
    assert found.dtype == np.uint8
    assert np.array_equal(found[..., 3], clip[..., 3])


def test_shares_between_two_ends() -> None:
    wanted = [
        (1, 0, 0),
        (0.65625, 0.21875, 0.125),
        (0.375, 0.375, 0.25),
        (0.21875, 0.65625, 0.125),
        (0, 1, 0),
    ]
    assert transfer_weights(5) == pytest.approx(np.array(wanted))
    assert transfer_weights(1).tolist() == [[1, 0, 0]]
    assert transfer_weights(0).shape == (0, 3)


def test_each_end_gets_its_own_match() -> None:
    clip = as_float(moving(5)) * 0.5 + 0.25
    drifted = np.concatenate([tinted(clip[i : i + 1], 0, 2 * i, 0) for i in range(5)])
    front, back = (
        colour_transfer(colour_statistics(drifted[i : i + 1]), colour_statistics(clip[i : i + 1]))
        for i in (0, 4)
    )
    mended = apply_transfers(drifted, transfers_between(len(drifted), front, back))
    error = np.abs(to_lab(mended) - to_lab(clip)).mean(axis=(1, 2, 3))
    before = np.abs(to_lab(drifted) - to_lab(clip)).mean(axis=(1, 2, 3))
    assert error[[0, 4]].max() < 0.1
    assert error.sum() < before.sum() / 4


def test_frames_without_a_share_are_copied() -> None:
    clip = moving(2)
    change = colour_transfer(colour_statistics(clip), colour_statistics(flat(1, 0.1)))
    result = apply_transfers(clip, [(change, np.array([0.0, 1.0]))])
    assert np.array_equal(result[0], clip[0])
    assert not np.array_equal(result[1], clip[1])


def test_what_is_drawn_wrong_does_not_decide_the_colours() -> None:
    blue, red = np.array([60, 80, 190]), np.array([190, 80, 60])
    known = np.full((4, 40, 40, 3), blue, np.uint8)
    known[:, 10:26, 4:20] = red
    drawn = known.copy()
    # The last of four frames shows shreds of the shape at a wrong place, on a third of its pixels.
    drawn[3, 10:26, 4:20] = blue
    drawn[3, 20:34, 20:38] = np.random.default_rng(0).integers(0, 256, (14, 18, 3))
    for frames in (slice(0, 4), slice(3, 4)):
        change = compare_redrawn(drawn[frames], known[frames]).change
        matched = as_uint8(apply_transfers(known[:1], [(change, np.ones(1))]))
        assert np.abs(matched.astype(int) - known[:1]).max() <= 2
    # A drift is found in spite of them, also where it grows with the colour.
    drifted = to_lab(drawn) * np.array([0.95, 1.1, 0.9], np.float32) + np.array([3, 2, -4], np.float32)
    change = compare_redrawn(from_lab(drifted), known).change
    assert change.gain == pytest.approx(1 / np.array([0.95, 1.1, 0.9]), abs=0.03)
    assert not compare_redrawn(from_lab(drifted), known).is_drawn_badly
    assert compare_redrawn(255 - known, known).is_drawn_badly


@pytest.mark.parametrize(("brightness", "value"), [(0.1, 110), (-0.1, 90), (0.5, 150), (2, 255), (-1, 0)])
def test_positive_brightness_brightens(brightness: float, value: int) -> None:
    grey = np.full((1, 2, 2, 3), 100, np.uint8)
    assert np.unique(adjust(grey, brightness=brightness)).tolist() == [value]


def test_saturation_goes_from_grey_to_strong() -> None:
    red = np.array([200, 100, 100], np.uint8).reshape(1, 1, 1, 3)
    assert np.ptp(adjust(red, saturation=0)) == 0
    assert adjust(red, saturation=2).ravel().tolist() == [255, 79, 79]
    assert adjust(red) is red
    rgba = np.concatenate([red, red[..., :1]], axis=3)
    assert as_uint8(adjust(rgba, saturation=0))[..., 3] == 200
