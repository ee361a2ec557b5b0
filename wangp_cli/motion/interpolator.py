"""What makes the frames between two frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from wangp_cli.media.clip import Frames


class Interpolator(Protocol):
    """Makes frames between two frames, of whatever engine: classic optical flow or a network."""

    def between(self, first: Frames, second: Frames, times: Sequence[float]) -> Iterator[Frames]:
        """The frames at the given times.

        Args:
            first: uint8, uint16 or float32 `[1, H, W, 3]`, the frame at time 0.
            second: the frame at time 1, of the same size.
            times: ascending, each above 0 and below 1.

        Yields:
            float32 `[1, H, W, 3]` in [0, 1], one for each time.
        """

    def with_scale(self, scale: float) -> Self:
        """The same engine, with motion estimated at another size, relative to the frames."""
        ...
