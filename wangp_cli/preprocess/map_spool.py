"""Maps and pictures of a clip on disk, in a file without a name."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class MapSpool:
    """Arrays of one shape in a temporary file, which is closed and gone with this object.

    Args:
        folder: of the file; None for the usual one.
        dtype: the arrays are converted to it.
    """

    def __init__(self, folder: Path | None, dtype: DTypeLike) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by the next line
        weakref.finalize(self, self._file.close)
        self._dtype = np.dtype(dtype)
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, array: NDArray[Any]) -> None:
        """Append an array.

        Raises:
            OSError: the disk is full.
        """
        self._shape = array.shape
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(array, self._dtype).data)
        self._count += 1

    def __getitem__(self, span: slice) -> NDArray[Any]:
        """A range of arrays with step 1, `[n, ...]`."""
        first, end, _ = span.indices(self._count)
        count = max(0, end - first)
        size = int(np.prod(self._shape)) * self._dtype.itemsize
        self._file.seek(first * size)
        data = self._file.read(count * size)
        return np.frombuffer(data, self._dtype).reshape(count, *self._shape)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[at : at + 1][0] for at in range(self._count))
