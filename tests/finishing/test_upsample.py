"""Larger frames, as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from wangp_cli.finishing.stream import VideoStream
from wangp_cli.finishing.upsample import upsample
from wangp_cli.media.clip import Frames, as_float, as_type
from wangp_cli.media.resize import fit

PIXELS: Frames = np.random.default_rng(0).random((6, 8, 12, 3), np.float32)


class Doubler:
    """An upscaler that repeats pixels, and counts its calls."""

    scale = 2

    def __init__(self) -> None:
        self.calls = 0

    def upscale(self, frame: Frames) -> Frames:
        self.calls += 1
        return as_float(frame).repeat(2, axis=1).repeat(2, axis=2)


def video(pixels: Frames = PIXELS) -> VideoStream:
    return VideoStream(frames=[pixels[:4], pixels[4:]], count=len(pixels), rate=Fraction(16))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_values_of_every_type_are_filtered_as_floats(dtype: type) -> None:
    pixels = as_type(PIXELS, np.dtype(dtype))
    frames = np.concatenate(list(upsample(video(pixels), 30, 20).frames))
    assert frames.dtype == np.float32
    assert np.array_equal(frames, fit(as_float(pixels), 30, 20, "stretch"))


def test_a_network_enlarges_first_and_the_filter_fits_the_size() -> None:
    doubler = Doubler()
    frames = np.concatenate(list(upsample(video(), 36, 24, doubler).frames))
    assert np.array_equal(frames, fit(PIXELS.repeat(2, axis=1).repeat(2, axis=2), 36, 24, "stretch"))
    assert doubler.calls == 6


def test_frames_that_do_not_grow_need_no_network() -> None:
    doubler = Doubler()
    frames = np.concatenate(list(upsample(video(), 6, 4, doubler).frames))
    assert np.array_equal(frames, fit(PIXELS, 6, 4, "stretch"))
    assert doubler.calls == 0


def test_one_frame_is_in_memory_at_a_time() -> None:
    taken: list[int] = []

    def frames() -> Iterator[Frames]:
        for index in range(100):
            taken.append(index)
            yield np.full((1, 8, 8, 3), index, np.uint8)

    stream = upsample(VideoStream(frames=frames(), count=100, rate=Fraction(16)), 16, 16)
    assert (stream.count, stream.rate) == (100, Fraction(16))
    for index, frame in enumerate(stream.frames):
        assert frame.shape == (1, 16, 16, 3)
        assert len(taken) == index + 1
