"""The classic interpolator, against the truth of moving scenes and against mixing both frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.clips import moving, psnr
from tests.support.moving_scenes import MovingScene
from wangp_cli.media.clip import Frames, as_float, as_type, as_uint8
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import write_video
from wangp_cli.motion.interpolate import ClassicInterpolator


def mixed(first: Frames, second: Frames, time: float = 0.5) -> Frames:
    return as_uint8(as_float(first) * (1 - time) + as_float(second) * time)


def between(first: Frames, second: Frames, *times: float) -> list[Frames]:
    return [as_uint8(frame) for frame in ClassicInterpolator().between(first, second, times)]


def still(scene: MovingScene, time: float) -> Frames:
    return as_uint8(scene.frame(time).permute(0, 2, 3, 1).numpy())


def gains(scenes: list[MovingScene], time: float = 0.5) -> list[float]:
    """By how many dB interpolation is nearer to the truth than a mix, of each scene."""
    values = []
    for scene in scenes:
        first, second, truth = still(scene, 0), still(scene, 1), still(scene, time)
        ours = between(first, second, time)[0]
        # An error of one level in a hundred pixels is none: it would make the gain infinite.
        values.append(min(psnr(ours, truth), 68) - min(psnr(mixed(first, second, time), truth), 68))
    return values


@pytest.mark.parametrize(
    "speed", [pytest.param(4, marks=pytest.mark.slow), 10, pytest.param(18, marks=pytest.mark.slow)]
)
def test_it_gains_5_db_on_moving_scenes_and_loses_on_none(speed: float) -> None:
    found = gains([MovingScene(seed, layers=seed % 4, speed=speed) for seed in range(500, 506)])
    assert np.mean(found) >= 5
    assert min(found) >= -0.8


@pytest.mark.parametrize("time", [0.125, 0.75])
def test_it_gains_at_any_time(time: float) -> None:
    found = gains([MovingScene(seed, layers=seed % 4, speed=10) for seed in range(520, 524)], time)
    assert np.mean(found) >= 3


def test_it_gains_on_compressed_footage_with_noise(tmp_path: Path) -> None:
    values = []
    for seed in range(700, 704):
        scene = MovingScene(seed, width=192, height=112, layers=1 + seed % 3, speed=3, noise=0.02)
        path = tmp_path / f"{seed}.mp4"
        write_video(path, [scene.clip(5)], fps=Fraction(24), crf=24)
        frames = read_video(path).frames
        for at in (0, 2):
            first, truth, second = (frames[index : index + 1] for index in (at, at + 1, at + 2))
            values.append(psnr(between(first, second, 0.5)[0], truth) - psnr(mixed(first, second), truth))
    assert np.mean(values) >= 1.5
    assert min(values) >= -0.8


def loss(first: Frames, second: Frames, truth: Frames) -> float:
    """By how many dB a mix is nearer to the truth than interpolation."""
    first, second, truth = map(as_uint8, (first, second, truth))
    return psnr(mixed(first, second), truth) - psnr(between(first, second, 0.5)[0], truth)


@pytest.mark.parametrize("change", [(0.7, 0.0), (0.5, 0.4)])
def test_a_change_of_brightness_is_no_movement(change: tuple[float, float]) -> None:
    gain, offset = change
    first = as_float(still(MovingScene(61, layers=2), 0))
    second = first * gain + offset
    assert loss(first, second, (first + second) / 2) < 0.5


def test_a_fade_between_pictures_is_no_movement() -> None:
    one, other = (as_float(still(MovingScene(seed, layers=2), 0)) for seed in (62, 63))
    first, truth, second = (one * (1 - share) + other * share for share in (0.3, 0.36, 0.42))
    assert loss(first, second, truth) < 0.8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_still_clip_stays_bit_equal(dtype: Any) -> None:
    frame = moving(1, dtype=dtype)
    for made in ClassicInterpolator().between(frame, frame.copy(), [0.25, 0.5]):
        assert np.array_equal(as_type(made, frame.dtype), frame)


def test_noise_on_a_still_picture_is_averaged() -> None:
    frame = as_float(moving(1, width=96, height=80))
    random = np.random.default_rng(1)
    first, second = (
        as_uint8(frame + random.normal(0, 0.01, frame.shape).astype(np.float32)) for _ in range(2)
    )
    assert psnr(between(first, second, 0.5)[0], frame) >= psnr(mixed(first, second), frame) - 0.3


def test_frames_come_in_the_order_of_the_times() -> None:
    scene = MovingScene(41, layers=1, speed=8)
    first, second = still(scene, 0), still(scene, 1)
    early, late = between(first, second, 0.1, 0.9)
    assert psnr(early, first) > psnr(late, first)
    again = between(first, second, 0.9, 0.1)
    assert np.array_equal(again[0], late)
    assert np.array_equal(again[1], early)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (17, 130), (131, 73)])
def test_frames_of_any_size_are_interpolated(height: int, width: int) -> None:
    first, second = moving(2, width=width, height=height, dtype=np.float32)[:, None]
    (made,) = ClassicInterpolator().between(first, second, [0.5])
    assert made.shape == first.shape
    assert made.dtype == np.float32
    assert 0 <= made.min() <= made.max() <= 1
    assert psnr(made, mixed(first, second)) > 30


def test_the_scale_of_the_flow_can_be_chosen() -> None:
    scene = MovingScene(43, width=160, height=160, layers=2, speed=8)
    first, second = still(scene, 0), still(scene, 1)
    whole, quarter = (next(ClassicInterpolator(scale).between(first, second, [0.5])) for scale in (1.0, 0.25))
    assert not np.array_equal(whole, quarter)
    assert psnr(whole, still(scene, 0.5)) > psnr(mixed(first, second), still(scene, 0.5))
