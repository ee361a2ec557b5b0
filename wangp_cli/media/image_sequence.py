"""Writing frames as numbered PNG files: into a folder, or into a ZIP archive.

RGBA frames have straight alpha: the colour of a pixel is not multiplied by its alpha.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from wangp_cli.errors import GenerationError, MediaError
from wangp_cli.media.clip import Frames
from wangp_cli.media.stills import encode_image

FRAME_NAME = "frame_{:06d}.png"
"""Names of the files, counted from 0: `ffmpeg -i frame_%06d.png` reads them."""
_NAME = re.compile(r"frame_[0-9]{6,}\.png")
_LARGEST_FRAME = 1 << 29
"""Bytes of a PNG file in an archive that are unpacked: as many as the largest image has."""
_REGULAR_FILE = 0o100644 << 16


@dataclass(frozen=True, kw_only=True)
class WrittenSequence:
    """Numbered PNG files that are written completely.

    Args:
        width: in pixels.
        height: in pixels.
        frames: number of files.
    """

    width: int
    height: int
    frames: int


def is_sequence(folder: Path) -> bool:
    """Whether a folder holds files of `FolderWriter` alone, so that another sequence may replace it."""
    return all(_NAME.fullmatch(file.name) for file in folder.iterdir())


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP archive by its ending."""
    return path.suffix.lower() == ".zip"


@contextmanager
def first_frame(sequence: Path) -> Iterator[tuple[Path, int]]:
    """Give the first PNG file of a folder or an archive of frames, and the number of frames.

    Raises:
        MediaError: there are none, or the archive is broken.
    """
    if sequence.is_dir():
        files = sorted(file for file in sequence.iterdir() if _NAME.fullmatch(file.name))
        _check_any(files, sequence)
        yield files[0], len(files)
        return
    with TemporaryDirectory() as folder:
        try:
            with ZipFile(sequence) as archive:
                entries = sorted(
                    (entry for entry in archive.infolist() if _NAME.fullmatch(entry.filename)),
                    key=lambda entry: entry.filename,
                )
                _check_any(entries, sequence)
                if entries[0].file_size > _LARGEST_FRAME:
                    raise MediaError(f"{sequence.name!r} has a frame of {entries[0].file_size} bytes")
                first = Path(archive.extract(entries[0], folder))
        except (BadZipFile, OSError, RuntimeError, ValueError, zlib.error) as error:
            raise MediaError(f"cannot read {sequence.name!r} as a ZIP archive: {error}") from error
        yield first, len(entries)


def _check_any(frames: Sequence[object], sequence: Path) -> None:
    if not frames:
        example = FRAME_NAME.format(0)
        raise MediaError(f"{sequence.name!r} has no frames in it, such as {example}")


class _SequenceWriter:
    """Encodes frames as PNG files and gives each to `save` with its name; the first one holds `comment`."""

    def __init__(self, save: Callable[[str, bytes], None], comment: str | None, bits: Literal[8, 16]) -> None:
        self._save, self._comment, self._bits = save, comment, bits
        self._count = 0
        self._shape: tuple[int, ...] = ()

    def add(self, chunk: Frames) -> None:
        """Write the next frames, `[T, H, W, C]` of the size and channels of the first; C of 1, 3 or 4."""
        if self._count and chunk.shape[1:] != self._shape:
            raise GenerationError(f"frame {self._count} is {chunk.shape[1:]}, the first {self._shape}")
        self._shape = chunk.shape[1:]
        for frame in chunk:
            if frame.dtype.kind == "f" and not np.isfinite(frame).all():
                raise GenerationError(f"frame {self._count} has values that are not finite")
            comment = None if self._count else self._comment
            content = encode_image(".png", frame, comment=comment, bits=self._bits)
            self._save(FRAME_NAME.format(self._count), content)
            self._count += 1

    def finish(self, frames: int | None = None) -> WrittenSequence:
        """Check the count.

        Args:
            frames: expected number of frames; None for any.
        """
        if not self._count:
            raise GenerationError("there are no frames to write")
        if frames not in (None, self._count):
            raise GenerationError(f"{self._count} frames were given, wanted {frames}")
        height, width = self._shape[:2]
        return WrittenSequence(width=width, height=height, frames=self._count)


class FolderWriter(_SequenceWriter):
    """Writes frames as PNG files of a folder as they are added.

    Args:
        folder: there, and empty; `Job.new_folder` gives one.
        comment: text to embed in the first file.
        bits: of each channel.

    Raises:
        GenerationError: no frames, other sizes on the way, or values that are not finite.
        OSError: the disk is full.
    """

    def __init__(self, folder: Path, *, comment: str | None = None, bits: Literal[8, 16] = 8) -> None:
        def save(name: str, content: bytes) -> None:
            partial = folder / name
            partial.write_bytes(content)

        super().__init__(save, comment, bits)


class ArchiveWriter(_SequenceWriter):
    """Writes frames as PNG files of a ZIP archive as they are added; the same frames make the same bytes.

    A context: if it is left before `finish` has returned, the file is deleted. The files are stored without
    further compression.

    Args:
        path: the archive to make or replace.
        comment: text to embed in the first PNG file.
        bits: of each channel.

    Raises:
        GenerationError: no frames, other sizes on the way, or values that are not finite.
        OSError: the disk is full.
    """

    def __init__(self, path: Path, *, comment: str | None = None, bits: Literal[8, 16] = 8) -> None:
        self._path = path
        self._archive = ZipFile(path, "w", ZIP_STORED)
        super().__init__(self._store, comment, bits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # `finish` closes it; closing writes the directory, which fails again on a full disk.
        if self._archive.fp is not None:
            with suppress(Exception):
                self._archive.close()
            self._path.unlink(missing_ok=True)

    def finish(self, frames: int | None = None) -> WrittenSequence:
        """Complete the archive and check its count."""
        written = super().finish(frames)
        self._archive.close()
        return written

    def _store(self, name: str, content: bytes) -> None:
        # Date, system and permissions are those of every archive, so that equal frames make equal bytes.
        entry = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        entry.create_system, entry.external_attr = 3, _REGULAR_FILE
        self._archive.writestr(entry, content)
