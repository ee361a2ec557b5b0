"""Masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from tests.support.clips import moving
from wangp_cli.media.mask import expand, feather, single_channel, threshold


def test_rgb_becomes_luma() -> None:
    primaries = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8).reshape(
        1, 1, 4, 3
    )
    luma = single_channel(primaries)
    assert luma.shape == (1, 1, 4, 1)
    assert luma.ravel().tolist() == pytest.approx([0.2126, 0.7152, 0.0722, 1])


def test_alpha_is_the_mask_where_colours_are_none() -> None:
    cutout = np.full((1, 4, 4, 4), 255, np.uint8)
    cutout[:, :, 2:, 3] = 0
    assert single_channel(cutout)[0, 0, :, 0].tolist() == [1, 1, 0, 0]
    cutout[:, 0, 0, :3] = 10
    assert single_channel(cutout)[0, 1, :, 0].tolist() == pytest.approx([1, 1, 1, 1])
    cutout[..., 0] = 90
    assert single_channel(cutout)[0, 1, :, 0].tolist() == [1, 1, 0, 0]
    opaque = np.concatenate([moving(1), np.full((1, 48, 64, 1), 255, np.uint8)], axis=3)
    assert np.allclose(single_channel(opaque), single_channel(moving(1)), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_threshold_is_between_127_and_128(channels: int) -> None:
    values = np.array([0, 127, 128, 255], np.uint8).reshape(1, 1, 4, 1).repeat(channels, 3)
    assert threshold(values)[0, 0, :, 0].tolist() == [0, 0, 255, 255]
    assert threshold(values.astype(np.float32) / 255)[0, 0, :, 0].tolist() == [0, 0, 255, 255]
    deep = values.astype(np.uint16) * 257
    assert threshold(deep)[0, 0, :, 0].tolist() == [0, 0, 255, 255]


@given(st.integers(-6, 6), st.integers(0, 2**32 - 1))
def test_a_mask_grows_and_shrinks_by_pixels(pixels: int, seed: int) -> None:
    mask = (np.random.default_rng(seed).random((2, 13, 17, 1)) > 0.8).astype(np.uint8) * 255
    moved = expand(mask, pixels)
    size = 2 * abs(pixels) + 1
    rank = ImageFilter.MaxFilter(size) if pixels > 0 else ImageFilter.MinFilter(size)
    for before, after in zip(mask, moved, strict=True):
        # Pillow leaves the border alone, so it sees the mask with its edge carried on.
        wide = np.pad(before[:, :, 0], 12, mode="edge")
        wanted = np.asarray(Image.fromarray(wide).filter(rank))[12:-12, 12:-12]
        assert np.array_equal(after[:, :, 0], wanted)


def test_a_mask_that_does_not_move_is_the_same() -> None:
    mask = moving(2, channels=1)
    assert np.array_equal(expand(mask, 0), mask)


def test_a_feathered_mask_rises_inside_its_edge_alone() -> None:
    mask = np.zeros((1, 9, 12, 1), np.uint8)
    mask[:, :, 5:] = 255
    assert feather(mask, 0)[0, 4, :, 0].tolist() == [0] * 5 + [1] * 7
    row = feather(mask, 3)[0, 4, :, 0]
    assert row[:5].tolist() == [0] * 5
    assert row[5:].tolist() == pytest.approx([0.1464, 0.5, 0.8536, 1, 1, 1, 1], abs=1e-4)
    assert feather(np.full_like(mask, 255), 3).min() == 1
