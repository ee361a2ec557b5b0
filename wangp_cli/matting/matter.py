"""What every matting engine offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames

Mask: TypeAlias = NDArray[np.float32]
"""Mask of one object in one frame: float32 `[H, W]` in [0, 1]."""
Alpha: TypeAlias = NDArray[np.float32]
"""Alpha of one object: float32 `[T, H, W, 1]` in [0, 1]."""


class Matter(Protocol):
    """An engine that follows one object through a clip."""

    def mattes(self, frames: Iterable[Frames], key_masks: Mapping[int, Mask]) -> Iterator[Alpha]:
        """Alpha of every frame, in order; only a few frames are in memory at a time.

        Args:
            frames: the clip in pieces `[T, H, W, 3]`, any dtype of `Frames`, all of one size.
            key_masks: masks of the object by index of the frame, counted from 0; one at frame 0 is needed.
                Between key masks the engine is free: one may follow the object from each key mask up to
                the next, another may also go backwards and mix both.

        Returns:
            Pieces float32 `[T, H, W, 1]` in [0, 1], of any length; together as many frames as given.

        Raises:
            RequestError: there is no mask at frame 0, a mask has another size than the frames, is empty or
                covers everything, or is at a frame after the last.
        """
        ...
