"""Frames of videos by their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.read import stream_video


def picked(path: Path, numbers: Sequence[int]) -> Iterator[Frames]:
    """Frames of a video by their numbers, which never fall, in pieces."""
    position = numbers[0]
    for piece in stream_video(path, start=position, count=numbers[-1] + 1 - position):
        own = [number - position for number in numbers if position <= number < position + len(piece)]
        position += len(piece)
        if own:
            yield piece[own]


def rgb(frames: Frames) -> Frames:
    """RGB of any channels: grey is spread over three, what is transparent shows black."""
    if frames.shape[3] == 4:
        pixels = as_float(frames)
        return pixels[..., :3] * pixels[..., 3:]
    return np.repeat(frames, 3, axis=3) if frames.shape[3] == 1 else frames
