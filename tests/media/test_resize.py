"""Sizes and lengths."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clips import moving, psnr
from wangp_cli.errors import RequestError
from wangp_cli.media.clip import as_float
from wangp_cli.media.resize import budget_size, fit, fit_mask, match_length

SIDES = st.integers(16, 8192)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
def test_frames_become_the_size_and_keep_their_kind(
    dtype: type, channels: int, how: Literal["crop", "pad", "stretch"]
) -> None:
    frames = moving(2, 40, 30, channels, dtype)
    for width, height in ((20, 30), (64, 16), (41, 31), (1, 1)):
        fitted = fit(frames, width, height, how)
        assert fitted.shape == (2, height, width, channels)
        assert fitted.dtype == dtype


def test_the_same_size_changes_nothing() -> None:
    frames = moving(2)
    assert fit(frames, 64, 48) is frames
    assert fit_mask(frames[..., :1], 64, 48).base is frames


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_smooth_frames_scale_to_what_they_show(dtype: type) -> None:
    small, large = moving(1, 32, 24, dtype=dtype), moving(1, 128, 96, dtype=dtype)
    assert psnr(fit(large, 32, 24, "stretch")[:, 2:-2, 2:-2], small[:, 2:-2, 2:-2]) > 33


def test_sixteen_bits_keep_steps_that_eight_cannot_show() -> None:
    steps = np.linspace(30000, 30400, 64).astype(np.uint16)
    ramp = np.tile(steps[None, None, :, None], (1, 8, 1, 3))
    assert len(np.unique(fit(ramp, 32, 8, "stretch")[0, 4, :, 0])) == 32


def test_crop_keeps_the_middle() -> None:
    columns = np.zeros((1, 10, 40, 3), np.uint8)
    columns[:, :, 15:25] = 255
    cropped = fit(columns, 10, 10, "crop")
    assert cropped.min() == 255
    rows = fit(np.swapaxes(columns, 1, 2), 10, 10, "crop")
    assert rows.min() == 255


def test_pad_shows_everything_on_bars() -> None:
    white = np.full((1, 10, 20, 3), 255, np.uint8)
    padded = fit(white, 20, 20, "pad", fill=0.5)
    assert np.all(padded[0, :5] == 128)
    assert np.all(padded[0, 5:15] == 255)
    assert np.all(padded[0, 15:] == 128)


def test_bars_of_rgba_are_clear_and_clear_pixels_do_not_bleed() -> None:
    frames = np.zeros((1, 8, 8, 4), np.float32)
    frames[:, :, :4] = (1, 1, 1, 1)
    frames[:, :, 4:] = (0, 1, 0, 0)
    scaled = fit(frames, 4, 4, "stretch")
    seen = scaled[scaled[..., 3] > 0.05]
    assert np.allclose(seen[:, :3], 1, atol=1e-3)
    assert fit(frames, 8, 16, "pad")[0, 0, 0, 3] == 0


def test_averaging_when_shrinking_leaves_no_moire() -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2
    frames = np.repeat(checks[None, :, :, None].astype(np.float32), 3, axis=3)
    small = fit(frames, 9, 9, "stretch")[:, 1:-1, 1:-1]
    assert np.abs(small - 0.5).max() < 0.02


@pytest.mark.parametrize("size", [(17, 13), (100, 80), (64, 20)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_binary_mask_stays_binary(size: tuple[int, int], dtype: type) -> None:
    mask = (moving(3, channels=1, dtype=np.float32) > 0.5).astype(np.float32)
    whole = np.ones(1, np.float32) if dtype == np.float32 else np.array([np.iinfo(dtype).max], dtype)
    fitted = fit_mask(mask.astype(dtype) * whole, *size)
    assert fitted.dtype == dtype
    assert set(np.unique(as_float(fitted)).tolist()) == {0.0, 1.0}
    assert as_float(fitted).mean() == pytest.approx(fit(mask, *size).mean(), abs=0.03)


def test_a_soft_mask_never_overshoots() -> None:
    mask = np.full((1, 8, 8, 1), 0.25, np.float32)
    mask[:, :, 4:] = 0.75
    fitted = fit_mask(mask, 31, 31)
    assert (fitted.min(), fitted.max()) == pytest.approx((0.25, 0.75))


def test_a_mask_stays_in_step_with_its_picture() -> None:
    frames = np.zeros((1, 30, 50, 3), np.float32)
    frames[:, 10:20, 20:30] = 1
    for how in ("crop", "pad", "stretch"):
        picture = fit(frames, 32, 32, how)[..., 0] > 0.5
        mask = fit_mask(frames[..., :1], 32, 32, how)[..., 0] > 0.5
        assert np.mean(picture != mask) < 0.02


def test_no_size_is_an_error() -> None:
    with pytest.raises(RequestError, match="size: 0x10"):
        fit(moving(1), 0, 10)


@pytest.mark.parametrize(
    ("source", "budget", "block", "wanted"),
    [
        ((1920, 1080), (832, 480), 16, (848, 480)),
        ((1080, 1920), (832, 480), 16, (480, 848)),
        ((512, 512), (832, 480), 16, (624, 624)),
        ((832, 480), (832, 480), 16, (832, 480)),
        ((1000, 10), (64, 64), 16, (640, 16)),
    ],
)
def test_a_budget_keeps_the_shape_of_the_source(
    source: tuple[int, int], budget: tuple[int, int], block: int, wanted: tuple[int, int]
) -> None:
    assert budget_size(*source, *budget, block) == wanted


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from([8, 16, 32, 64]))
def test_a_budget_is_kept_within_half_a_block(
    width: int, height: int, wide: int, high: int, block: int
) -> None:
    got_width, got_height = budget_size(width, height, wide, high, block)
    assert got_width % block == got_height % block == 0
    scale = (wide * high / (width * height)) ** 0.5
    for got, ideal in ((got_width, width * scale), (got_height, height * scale)):
        assert got >= block
        assert abs(got - ideal) <= block / 2 + 1e-6 or got == block


@given(st.integers(1, 20), st.integers(1, 60))
def test_any_length_becomes_the_count(have: int, count: int) -> None:
    frames = np.arange(have)
    looped, held = match_length(frames, count, "loop"), match_length(frames, count, "hold")
    assert looped.tolist() == [i % have for i in range(count)]
    assert held.tolist() == [min(i, have - 1) for i in range(count)]
    if count <= have:
        assert match_length(frames, count).tolist() == list(range(count))
    else:
        with pytest.raises(RequestError, match=f"{have} frames, wanted {count}"):
            match_length(frames, count)


def test_nothing_cannot_become_something() -> None:
    with pytest.raises(RequestError, match="0 frames cannot become 3"):
        match_length(moving(2)[:0], 3, "hold")
