"""What an upscaling engine gives."""

from __future__ import annotations

from typing import Protocol

from wangp_cli.media.clip import Frames


class Upscaler(Protocol):
    """Makes frames larger by a factor of its own.

    Attributes:
        scale: how many times as wide and high its results are.
    """

    scale: int

    def upscale(self, frame: Frames) -> Frames:
        """A larger frame.

        Args:
            frame: `[1, H, W, 1, 3 or 4]`, any dtype of `Frames`.

        Returns:
            float32 `[1, scale * H, scale * W, C]`, in [0, 1].
        """
        ...
