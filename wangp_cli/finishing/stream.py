"""A video whose frames come one after another, so that steps can be chained in little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from wangp_cli.media.clip import Frames, single_frames

ChangeFrame = Callable[[Frames, int], Frames]
"""Changes a frame `[1, H, W, C]`; called with it and its index from 0."""


@dataclass(frozen=True, kw_only=True)
class VideoStream:
    """Frames of a video as they come.

    Args:
        frames: `[t, H, W, C]` each, any dtype of `Frames`; read once.
        count: frames in all.
        rate: frames per second, exact.
    """

    frames: Iterable[Frames]
    count: int
    rate: Fraction

    def map(self, change: ChangeFrame) -> VideoStream:
        """The video with every frame changed when it is read; one is in memory at a time."""
        return replace(self, frames=_changed(self.frames, change))


def _changed(pieces: Iterable[Frames], change: ChangeFrame) -> Iterator[Frames]:
    for index, frame in enumerate(single_frames(pieces)):
        yield change(frame, index)
