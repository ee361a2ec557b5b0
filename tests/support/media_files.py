"""Small media files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video


def noise(frames: int, seed: int, size: int = 32) -> Any:
    """Random uint8 RGB frames."""
    return np.random.default_rng(seed).integers(0, 256, (frames, size, size, 3), dtype=np.uint8)


def picture(folder: Path, name: str, seed: int) -> Path:
    write_image(folder / f"{name}.png", noise(1, seed))
    return folder / f"{name}.png"


def video(folder: Path, name: str, seed: int, frames: int = 5, **more: Any) -> Path:
    path = folder / f"{name}.mkv"
    write_video(path, [noise(frames, seed)], fps=more.pop("fps", Fraction(16)), codec="ffv1", **more)
    return path


def tone(path: Path, seconds: float, rate: int = 16000) -> Path:
    import soundfile

    soundfile.write(path, np.sin(np.arange(int(seconds * rate)) / 10).astype(np.float32) * 0.5, rate)
    return path
