"""Maps of a clip on disk, for what is drawn only when the range of all of them is known."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class MapSpool:
    """Arrays of one shape in a temporary file, read back in the order in which they were added.

    Args:
        folder: of the file, which has no name; None for the usual one.
        dtype: the arrays are rounded to it.
    """

    def __init__(self, folder: Path | None, dtype: type[np.floating[Any]]) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed at the end
        self._dtype = np.dtype(dtype)
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, array: NDArray[np.float32]) -> None:
        """Append an array.

        Raises:
            OSError: the disk is full.
        """
        self._shape = array.shape
        self._file.write(np.ascontiguousarray(array, self._dtype).data)
        self._count += 1

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        values = int(np.prod(self._shape))
        for index in range(self._count):
            self._file.seek(index * values * self._dtype.itemsize)
            data = self._file.read(values * self._dtype.itemsize)
            yield np.frombuffer(data, self._dtype).reshape(self._shape).astype(np.float32)
