"""Pictures of depth: near is white, far is black."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames
from wangp_cli.preprocess.map_spool import MapSpool

DepthRange = Literal["clip", "frame"]
DepthOf = Callable[[Frames], NDArray[np.float32]]
"""The inverse depth of frames `[t, H, W, 3]` in any unit: `[t, H, W]`, larger is nearer."""


def depth_pictures(
    pieces: Iterable[Frames],
    depth_of: DepthOf,
    *,
    contrast: float,
    range_of: DepthRange,
    scratch: Path | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Pictures of the depth of frames, from black for the farthest to white for the nearest pixel.

    Args:
        pieces: `[t, H, W, 3]` each.
        depth_of: gives their inverse depth.
        contrast: factor on the distance from middle grey.
        range_of: the nearest and the farthest pixel of the `clip`, by which a thing keeps its brightness
            while others come and go, or of each `frame`.
        scratch: folder for the depth of a clip.

    Yields:
        uint8 `[1, H, W, 3]`, one for each frame.
    """
    maps = (one for piece in pieces for one in depth_of(piece))
    if range_of == "frame":
        yield from (_picture(one, float(one.min()), float(one.max()), contrast) for one in maps)
        return
    spool = MapSpool(scratch, np.float32)
    low, high = np.inf, -np.inf
    for one in maps:
        low, high = min(low, float(one.min())), max(high, float(one.max()))
        spool.add(one)
    yield from (_picture(one, low, high, contrast) for one in spool)


def _picture(depth: NDArray[np.float32], low: float, high: float, contrast: float) -> NDArray[np.uint8]:
    share = (depth - low) / max(high - low, 1e-6)
    grey = ((share - 0.5) * contrast + 0.5).clip(0, 1) * 255
    return np.repeat(np.rint(grey).astype(np.uint8)[None, ..., None], 3, axis=3)
