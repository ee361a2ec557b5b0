"""The lengths that WAV files state, which a program that crashes or exceeds 4 GB leaves wrong."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_LEAST_BYTES = 4096
"""Some programs append tags that are no chunks; they are shorter than this."""
_PLACEHOLDERS = 2**31 - 2**16
"""Programs that write to a pipe state 0, or about the most that 31 or 32 bits hold."""


def states_wrong_length(path: Path) -> bool:
    """Whether a file is WAV and its samples go on behind the length that its header states.

    A length of 0 or past the end of the file counts as right: FFmpeg reads to the end then.
    """
    with path.open("rb") as file:
        total, (start, size) = path.stat().st_size, _samples(file)
        end = start + size + size % 2
        return size > 0 and total - end > _LEAST_BYTES and not _are_chunks(file, end, total)


def is_cut_off(path: Path) -> bool:
    """Whether a file is WAV and ends before the length that its header states."""
    with path.open("rb") as file:
        start, size = _samples(file)
    return 0 < size < _PLACEHOLDERS and start + size > path.stat().st_size


def _samples(file: BinaryIO) -> tuple[int, int]:
    """Where the samples begin and how many bytes of them are stated; 0 for other files."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return 0, 0
    while len(header := file.read(8)) == 8:
        size = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            return file.tell(), size
        file.seek(size + size % 2, 1)
    return 0, 0


def _are_chunks(file: BinaryIO, start: int, total: int) -> bool:
    """Whether a file consists of chunks from `start` to its end."""
    while start < total:
        file.seek(start)
        header = file.read(8)
        if len(header) < 8 or not all(32 <= byte < 127 for byte in header[:4]):
            return False
        size = int.from_bytes(header[4:], "little")
        start += 8 + size + size % 2
    return start <= total + 1
