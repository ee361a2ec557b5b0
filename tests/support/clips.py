"""Small clips with known content."""

from __future__ import annotations

from typing import Any

import numpy as np

from wangp_cli.media.clip import Audio, Frames, as_float, as_type


def moving(
    frames: int = 6, width: int = 64, height: int = 48, channels: int = 3, dtype: Any = np.uint8
) -> Frames:
    """Smooth colours that drift, different in every channel and frame: what encoders do well."""
    t, y, x = np.meshgrid(
        np.arange(frames), np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij", sparse=True
    )
    waves = [0.5 + 0.4 * np.sin(3 * x + (1 + i) * y + 0.2 * t + i) for i in range(channels)]
    return as_type(np.stack(waves, axis=-1).astype(np.float32), np.dtype(dtype))


def numbered(frames: int, width: int = 64, height: int = 48) -> Frames:
    """Frames that show their own number as eight black or white columns, which survive any encoder."""
    bits = (np.arange(frames)[:, None] >> np.arange(8)) & 1
    columns = np.repeat(bits, width // 8, axis=1).astype(np.uint8) * 255
    return np.broadcast_to(columns[:, None, :, None], (frames, height, width, 3)).copy()


def numbers(frames: Frames) -> list[int]:
    """The numbers that frames of `numbered` show."""
    step = frames.shape[2] // 8
    middle = as_float(frames)[:, frames.shape[1] // 2, step // 2 :: step, 1] > 0.5
    return [int((row << np.arange(8)).sum()) for row in middle[:, :8].astype(int)]


def flat(frames: int, value: float, size: int = 8) -> Frames:
    """float32 frames of one value."""
    return np.full((frames, size, size, 3), value, np.float32)


def tone(seconds: float = 1.0, rate: int = 44100, channels: int = 1, hertz: float = 330.0) -> Audio:
    """A sine; channel i has half the volume divided by i + 1."""
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return Audio(
        samples=np.stack([wave / (i + 1) for i in range(channels)], axis=1).astype(np.float32), rate=rate
    )


def psnr(one: Frames, other: Frames) -> float:
    """Peak signal to noise ratio in dB; infinite for equal frames."""
    error = float(np.mean((as_float(one).astype(np.float64) - as_float(other)) ** 2))
    return float("inf") if error == 0 else -10 * float(np.log10(error))
