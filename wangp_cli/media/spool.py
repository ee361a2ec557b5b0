"""Frames stored on disk between stages: uncompressed 16 bit NumPy files, read slice by slice."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wangp_cli.errors import GenerationError, MediaError
from wangp_cli.media.clip import Frames, as_uint16, chunks

_BYTES_PER_VALUE = 2

Shape = tuple[int, int, int, int]
"""Frames, height, width and channels."""


def write_spool(path: Path, pieces: Iterable[Frames], shape: Shape, name: str) -> None:
    """Write a stream of frames as a NumPy file.

    Args:
        path: the file to make.
        pieces: `[t, H, W, C]` each, any dtype of `Frames`; rounded to 16 bits.
        shape: of all frames together.
        name: of the frames, for errors.

    Raises:
        GenerationError: the frames have another shape, or values that are not finite.
        OSError: the disk is full or the folder cannot be written.
    """
    count = 0
    with path.open("wb") as file:
        file.write(_header(shape))
        for piece in (part for whole in pieces for part in chunks(whole)):
            if piece.shape[1:] != shape[1:]:
                raise GenerationError(f"{name} has frames of {piece.shape[1:]}, planned were {shape[1:]}")
            if piece.dtype.kind == "f" and not np.isfinite(piece).all():
                raise GenerationError(f"{name} has values that are not finite")
            file.write(np.ascontiguousarray(as_uint16(piece)).data)
            count += len(piece)
    if count != shape[0]:
        raise GenerationError(f"{name} has {count} frames, planned were {shape[0]}")


class Spool:
    """The frames of a file of `write_spool`; slices are read from disk on access.

    Args:
        path: the file; it may be unlinked while it is open.
        shape: expected shape.

    Raises:
        MediaError: the file has another shape or size.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, shape: Shape) -> None:
        self.shape = shape
        self._header = _header(shape)
        self._file = path.open("rb")
        size = len(self._header) + math.prod(shape) * _BYTES_PER_VALUE
        if (
            self._file.read(len(self._header)) != self._header
            or os.fstat(self._file.fileno()).st_size != size
        ):
            self._file.close()
            raise MediaError(f"{path.name!r} does not hold frames of {shape}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[np.uint16]]:
        """Each frame, `[H, W, C]`."""
        return (self[at : at + 1][0] for at in range(len(self)))

    def __getitem__(self, span: slice) -> NDArray[np.uint16]:
        """A range of frames with step 1, `[t, H, W, C]`."""
        first, end, _ = span.indices(len(self))
        values = math.prod(self.shape[1:])
        self._file.seek(len(self._header) + first * values * _BYTES_PER_VALUE)
        frames = np.fromfile(self._file, np.uint16, max(0, end - first) * values)
        return frames.reshape(-1, *self.shape[1:])


def _header(shape: Shape) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<u2", "fortran_order": False, "shape": shape})
    return header.getvalue()
