"""Reserve stdout for results and events: libraries that print write to stderr."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Stdout(io.FileIO):
    """The real stdout; after a write that fails, all that follows is discarded.

    `reader_gone` is true if its reader has closed it; `error` is any other error of a write.
    """

    reader_gone = False
    error: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        """Write all of `data`, or discard it."""
        if not self.reader_gone and self.error is None:
            try:
                return super().write(data)
            except BrokenPipeError:
                self.reader_gone = True
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


def private_stdout() -> Stdout:
    """Move the real stdout to a new descriptor, which `sys.stdout` writes to; descriptor 1 becomes stderr."""
    if sys.stdout:
        sys.stdout.flush()
    private = Stdout(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(private), encoding="utf-8", errors="backslashreplace")
    return private


def open_closed_descriptors() -> None:
    """Open the null device as each standard descriptor that is closed, so that no file takes its number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number: those below are open.
            os.open(os.devnull, os.O_RDWR)
