"""Clips and their numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.support.clips import moving, tone
from wangp_cli.media.clip import Clip, as_float, as_type, as_uint8, as_uint16, chunks, to_rgb


def test_every_eight_bit_value_survives_every_other_kind() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    assert np.array_equal(as_uint8(as_float(values)), values)
    assert np.array_equal(as_uint8(as_uint16(values)), values)
    assert np.array_equal(as_uint16(as_float(values)), as_uint16(values))
    assert as_uint16(values).max() == 65535


def test_every_sixteen_bit_value_survives_floats() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256, 1)
    assert np.array_equal(as_uint16(as_float(values)), values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_values_out_of_range_are_held_at_its_ends(dtype: type) -> None:
    wild = np.array([-5.0, 0.5, 7.0], np.float32).reshape(1, 1, 3, 1)
    rounded = as_float(as_type(wild, np.dtype(dtype))).ravel()
    if dtype != np.float32:
        assert rounded.tolist() == pytest.approx([0, 0.5, 1], abs=0.003)


def test_a_clip_knows_its_size_and_its_sound_its_length() -> None:
    clip = Clip(frames=moving(7), fps=Fraction(16), audio=tone(0.5, 8000))
    assert (len(clip), clip.size) == (7, (64, 48))
    assert clip.audio is not None
    assert clip.audio.seconds == 0.5


def test_chunks_are_all_the_frames_in_order() -> None:
    pieces = list(chunks(moving(7), 3))
    assert [len(piece) for piece in pieces] == [3, 3, 1]
    assert np.array_equal(np.concatenate(pieces), moving(7))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_and_rgb_keep_their_values_and_dtype_as_rgb(dtype: type) -> None:
    grey, rgb = moving(2, channels=1, dtype=dtype), moving(2, dtype=dtype)
    assert to_rgb(grey).dtype == dtype
    assert np.array_equal(to_rgb(grey), np.concatenate([grey] * 3, axis=-1))
    assert to_rgb(rgb) is rgb
    assert np.array_equal(to_rgb(grey[0]), to_rgb(grey)[0])


def test_transparent_frames_show_the_background() -> None:
    rgba = np.array([[[[255, 0, 0, 255], [255, 0, 0, 0], [255, 255, 255, 51]]]], np.uint8)
    assert to_rgb(rgba)[0, 0].ravel().tolist() == pytest.approx([1, 0, 0, 0, 0, 0, 0.2, 0.2, 0.2])
    assert to_rgb(rgba, 0.5)[0, 0].ravel().tolist() == pytest.approx([1, 0, 0, 0.5, 0.5, 0.5, 0.6, 0.6, 0.6])
