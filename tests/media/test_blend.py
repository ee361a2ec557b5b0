"""Crossfades between clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clips import flat, moving
from wangp_cli.media.blend import crossfade, crossfade_weights

TABLE = {
    1: [1], 2: [0.5, 1], 3: [0.25, 0.75, 1], 4: [0.1464, 0.5, 0.8536, 1],
    5: [0.0955, 0.3455, 0.6545, 0.9045, 1], 8: [0.0381, 0.1464, 0.3087, 0.5, 0.6913, 0.8536, 0.9619, 1],
    10: [0.0245, 0.0955, 0.2061, 0.3455, 0.5, 0.6545, 0.7939, 0.9045, 0.9755, 1],
}  # fmt: skip


@pytest.mark.parametrize("overlap", TABLE)
def test_weights_are_the_cosine_that_ends_at_the_new_clip(overlap: int) -> None:
    assert crossfade_weights(overlap).tolist() == pytest.approx(TABLE[overlap], abs=5e-5)
    assert crossfade_weights(overlap)[-1] == 1


@given(st.integers(1, 12))
def test_mixed_frames_lead_from_the_old_clip_to_the_new(overlap: int) -> None:
    mixed = crossfade(flat(overlap, 0.25, 2), flat(overlap, 0.75, 2))
    assert len(mixed) == overlap
    assert np.all(mixed[-1] == 0.75)
    assert np.all(np.diff(mixed[:, 0, 0, 0]) >= 0)
    assert mixed.min() >= 0.25


def test_mixed_frames_follow_the_weights() -> None:
    mixed = crossfade(flat(3, 0), flat(3, 1))
    assert mixed[:, 0, 0, 0].tolist() == pytest.approx([0.25, 0.75, 1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_last_frame_is_copied_bit_for_bit(dtype: type) -> None:
    old, new = moving(3, dtype=dtype), moving(3, dtype=dtype)[:, ::-1]
    mixed = crossfade(old, new, sharpen=0.3)
    assert mixed.dtype == dtype
    assert np.array_equal(mixed[-1], new[-1])


def test_eight_bits_are_rounded_not_cut() -> None:
    old, new = (np.full((3, 1, 1, 3), value, np.uint8) for value in (101, 100))
    assert crossfade(old, new)[:, 0, 0, 0].tolist() == [101, 100, 100]


def test_sharpening_gives_detail_back_to_mixed_frames_only() -> None:
    rng = np.random.default_rng(0)
    old, new = (rng.random((4, 24, 24, 3), np.float32) for _ in range(2))
    plain, sharp = crossfade(old, new), crossfade(old, new, sharpen=0.3)
    detail: Any = lambda frame: np.abs(np.diff(frame, axis=0)).mean()  # noqa: E731 - shorter than a function
    assert detail(sharp[1]) > 1.1 * detail(plain[1])
    assert np.array_equal(sharp[3], new[3])
    assert sharp.min() >= 0
    assert sharp.max() <= 1
    assert np.allclose(
        crossfade(flat(4, 0.3), flat(4, 0.6), sharpen=0.3), crossfade(flat(4, 0.3), flat(4, 0.6))
    )
