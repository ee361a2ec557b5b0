"""Orientation of stored pictures: EXIF orientations and display matrices, mirrored ones too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wangp_cli.media.clip import Frames


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """How a stored picture becomes upright: first transposed, then flipped.

    Args:
        transpose: exchange rows and columns.
        flip_x: exchange left and right.
        flip_y: exchange top and bottom.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_exif(cls, value: int) -> Orientation:
        """The orientation of an EXIF tag, 1 to 8; any other value is upright."""
        return cls(
            transpose=value in {5, 6, 7, 8}, flip_x=value in {2, 3, 6, 7}, flip_y=value in {3, 4, 7, 8}
        )

    @classmethod
    def from_display_matrix(cls, content: bytes) -> Orientation:
        """The orientation of a display matrix; angles between quarter turns go to the nearest.

        Args:
            content: nine int32 in native byte order, `a b u c d v x y w`: a stored pixel (p, q) is shown at
                (a p + c q, b p + d q).
        """
        a, b, _, c, d = (int(value) for value in np.frombuffer(content, np.int32, 5))
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(flip_x=a < 0, flip_y=d < 0)
        return cls(transpose=True, flip_x=c < 0, flip_y=b < 0)

    @property
    def notice(self) -> str | None:
        """What is changed of a picture stored so, for people; None of an upright one."""
        if not (self.transpose or self.flip_x or self.flip_y):
            return None
        mirrored = (self.transpose + self.flip_x + self.flip_y) % 2 == 1
        return "it is mirrored as its orientation says" if mirrored else "it is turned upright"

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, pixels: Frames) -> Frames:
        """The upright picture of stored pixels `[H, W, C]`."""
        if self.transpose:
            pixels = np.swapaxes(pixels, 0, 1)
        if self.flip_x:
            pixels = pixels[:, ::-1]
        if self.flip_y:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


UPRIGHT = Orientation()
