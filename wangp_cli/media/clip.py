"""Clips: frames with a rate and perhaps audio; conversions between dtypes and to RGB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Frames: TypeAlias = NDArray[Any]
"""`[T, H, W, C]`; C is 1 (mask, matte), 3 (RGB) or 4 (RGBA); uint8, uint16 or float32 in [0, 1]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Audio:
    """Audio samples with their rate.

    Args:
        samples: float32 `[N, channels]`, in [-1, 1].
        rate: samples per second.
        layout: FFmpeg's name of the channel layout; None for the usual one of that many channels.
    """

    samples: NDArray[np.float32]
    rate: int
    layout: str | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """Frames `[T, H, W, C]` at an exact rate, with optional audio."""

    frames: Frames
    fps: Fraction
    audio: Audio | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.frames.shape[2]), int(self.frames.shape[1])

    def __len__(self) -> int:
        return len(self.frames)


def as_float(frames: Frames) -> NDArray[np.float32]:
    """The frames as float32 in [0, 1]."""
    if frames.dtype == np.uint8:
        return frames.astype(np.float32) / np.float32(255)
    if frames.dtype == np.uint16:
        return frames.astype(np.float32) / np.float32(65535)
    return frames.astype(np.float32, copy=False)


def as_uint8(frames: Frames) -> NDArray[np.uint8]:
    """The frames rounded to uint8."""
    if frames.dtype == np.uint8:
        return frames
    return (as_float(frames).clip(0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def as_uint16(frames: Frames) -> NDArray[np.uint16]:
    """The frames rounded to uint16."""
    if frames.dtype == np.uint16:
        return frames
    if frames.dtype == np.uint8:
        return frames.astype(np.uint16) * np.uint16(257)
    return (as_float(frames).clip(0, 1) * np.float32(65535) + np.float32(0.5)).astype(np.uint16)


def as_type(frames: Frames, dtype: np.dtype[Any]) -> Frames:
    """The frames rounded to uint8 or uint16, or as float32 for any other dtype."""
    if dtype == np.uint8:
        return as_uint8(frames)
    return as_uint16(frames) if dtype == np.uint16 else as_float(frames)


def to_rgb(frames: Frames, background: float = 0.0) -> Frames:
    """RGB of frames with any number of channels.

    Args:
        frames: `[..., C]`, any dtype of `Frames`; one channel is repeated.
        background: value shown where RGBA frames are transparent, 0 black to 1 white.

    Returns:
        `[..., 3]`: of RGBA float32 in [0, 1], else of the dtype given; RGB frames themselves.
    """
    channels = frames.shape[-1]
    if channels == 1:
        return np.repeat(frames, 3, axis=-1)
    if channels == 3:
        return frames
    pixels = as_float(frames)
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    return colour * alpha + np.float32(background) * (1 - alpha)


def single_frames(pieces: Iterable[Frames]) -> Iterator[Frames]:
    """The frames of a stream one by one, `[1, H, W, C]` each."""
    return (piece[at : at + 1] for piece in pieces for at in range(len(piece)))


def chunks(frames: Frames, length: int = 16) -> Iterator[Frames]:
    """The frames in pieces of at most `length`, for functions that take a stream."""
    for start in range(0, len(frames), length):
        yield frames[start : start + length]
