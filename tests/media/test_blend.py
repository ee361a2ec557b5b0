"""Joining clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pictures import flat, moving
from wangp_cli.errors import RequestError
from wangp_cli.media.blend import crossfade, ramp

TABLE = {
    1: [1], 2: [0.5, 1], 3: [0.25, 0.75, 1], 4: [0.1464, 0.5, 0.8536, 1],
    5: [0.0955, 0.3455, 0.6545, 0.9045, 1], 8: [0.0381, 0.1464, 0.3087, 0.5, 0.6913, 0.8536, 0.9619, 1],
    10: [0.0245, 0.0955, 0.2061, 0.3455, 0.5, 0.6545, 0.7939, 0.9045, 0.9755, 1],
}  # fmt: skip


@pytest.mark.parametrize("overlap", TABLE)
def test_weights_are_the_cosine_that_ends_at_the_new_clip(overlap: int) -> None:
    assert ramp(overlap).tolist() == pytest.approx(TABLE[overlap], abs=5e-5)
    assert ramp(overlap)[-1] == 1


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_joined_length_is_both_minus_the_overlap(left: int, right: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, min(left, right)))
    joined = crossfade(flat(left, 0.25, 2), flat(right, 0.75, 2), overlap)
    assert len(joined) == left + right - overlap
    assert np.all(joined[: left - overlap] == 0.25)
    assert np.all(joined[left - (overlap > 0) :] == 0.75)
    assert np.all(np.diff(joined[:, 0, 0, 0]) >= 0)


def test_mixed_frames_follow_the_weights() -> None:
    joined = crossfade(flat(5, 0), flat(4, 1), overlap=3)
    assert joined[:, 0, 0, 0].tolist() == pytest.approx([0, 0, 0.25, 0.75, 1, 1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_frames_outside_the_overlap_are_copied_bit_for_bit(dtype: type) -> None:
    left, right = moving(6, dtype=dtype), moving(5, dtype=dtype)[:, ::-1]
    joined = crossfade(left, right, 3)
    assert joined.dtype == dtype
    assert np.array_equal(joined[:3], left[:3])
    assert np.array_equal(joined[5:], right[2:])


def test_eight_bits_are_rounded_not_cut() -> None:
    old, new = (np.full((3, 1, 1, 3), value, np.uint8) for value in (101, 100))
    assert crossfade(old, new, 3)[:, 0, 0, 0].tolist() == [101, 100, 100]


def test_different_kinds_of_frames_join_as_floats() -> None:
    joined = crossfade(np.full((2, 2, 2, 3), 255, np.uint8), flat(2, 0, 2), 0)
    assert joined.dtype == np.float32
    assert joined[:, 0, 0, 0].tolist() == [1, 1, 0, 0]


def test_sharpening_gives_detail_back_to_mixed_frames_only() -> None:
    rng = np.random.default_rng(0)
    left, right = (rng.random((4, 24, 24, 3), np.float32) for _ in range(2))
    plain, sharp = crossfade(left, right, 4), crossfade(left, right, 4, sharpen=0.3)
    detail: Any = lambda frame: np.abs(np.diff(frame, axis=0)).mean()  # noqa: E731 - shorter than a function
    assert detail(sharp[1]) > 1.1 * detail(plain[1])
    assert np.array_equal(sharp[3], right[3])
    assert sharp.min() >= 0
    assert sharp.max() <= 1
    assert np.allclose(
        crossfade(flat(4, 0.3), flat(4, 0.6), 4, sharpen=0.3), crossfade(flat(4, 0.3), flat(4, 0.6), 4)
    )


def test_what_cannot_be_joined_is_named() -> None:
    with pytest.raises(RequestError, match="clips: sizes differ: 64x48 with 3 channels and 64x48 with 4"):
        crossfade(moving(2), moving(2, channels=4), 1)
    with pytest.raises(RequestError, match="overlap: 3 frames, but the shorter clip has 2"):
        crossfade(moving(2), moving(9), 3)
    with pytest.raises(RequestError, match="overlap: -1"):
        crossfade(moving(2), moving(9), -1)
