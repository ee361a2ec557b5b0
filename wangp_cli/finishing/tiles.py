"""Compute a large picture in tiles that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor

_ALIGNED = 4
"""Tiles begin at multiples of it, because some networks take squares of up to 4 pixels together."""


class Tile(NamedTuple):
    """A span of rows or columns.

    Args:
        start: of what is kept.
        end: of it.
        first: of what is computed, with the overlap.
        last: end of it.
    """

    start: int
    end: int
    first: int
    last: int


def tile_spans(length: int, side: int, overlap: int) -> Iterator[Tile]:
    """Tiles of about equal length, at most about `side`, each computed with `overlap` more on either end."""
    count = -(-length // side)
    starts = [_aligned(length * index // count) for index in range(count)]
    for start, end in zip(starts, [*starts[1:], length], strict=True):
        yield Tile(start, end, _aligned(max(0, start - overlap)), min(length, end + overlap))


def _aligned(place: int) -> int:
    return place // _ALIGNED * _ALIGNED


def enlarge_in_tiles(
    network: Callable[[Tensor], Tensor], picture: Tensor, scale: int, *, side: int, overlap: int
) -> Tensor:
    """What a network makes of a picture, computed tile by tile.

    Args:
        network: makes `[1, C, H, W]` `scale` times as wide and high.
        picture: `[1, C, H, W]`.
        scale: of the network.
        side: most pixels of a tile's side, without its overlap.
        overlap: pixels around a tile that are computed with it and not kept; with those that the network
            sees of its surroundings, the result is that of the whole picture.

    Returns:
        `[1, C, scale * H, scale * W]` on the device of the picture.
    """
    height, width = picture.shape[2:]
    result: Tensor | None = None
    for rows in tile_spans(height, side, overlap):
        for columns in tile_spans(width, side, overlap):
            made = network(picture[:, :, rows.first : rows.last, columns.first : columns.last])
            if result is None:
                result = made.new_empty((*made.shape[:2], height * scale, width * scale))
            top, left = (rows.start - rows.first) * scale, (columns.start - columns.first) * scale
            high, wide = (rows.end - rows.start) * scale, (columns.end - columns.start) * scale
            kept = made[:, :, top : top + high, left : left + wide]
            result[:, :, _enlarged(rows, scale), _enlarged(columns, scale)] = kept
    assert result is not None
    return result


def _enlarged(tile: Tile, scale: int) -> slice:
    return slice(tile.start * scale, tile.end * scale)
