"""Opening untrusted media files: local, regular, complete, of known kinds and bounded size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer

from wangp_cli.errors import MediaError

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"}
)
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".ppm", ".pgm"}
)
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac"})
"""File suffixes that are read, by kind."""

MAX_IMAGE_PIXELS = 64_000_000
"""Pixels of the largest image or frame that is decoded: a 48 KB PNG can hold 400 million."""
MAX_CLIP_BYTES = 32 * 2**30
"""Most bytes that a clip may take in memory."""

# Only plain containers: playlists (HLS, DASH, concat) name other files and URLs.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,aac,mp3,wav,flac,ogg"
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")


def check_file(path: Path | str, suffixes: frozenset[str], kind: str) -> Path:
    """Check that a file may be opened as media; gives its absolute path.

    Args:
        path: as the user gave it.
        suffixes: accepted suffixes, lower case.
        kind: `video`, `image`, `audio` or `media`, for messages.

    Raises:
        MediaError: a URL, missing, not a regular file, empty, or of another kind.
    """
    named = str(path)
    if _SCHEME.match(named):
        raise MediaError(f"{named!r} is an address, not a file on this machine", hint="download it first")
    try:
        file = Path(path).resolve()
        exists, folder, regular = file.exists(), file.is_dir(), file.is_file()
        size = file.stat().st_size if regular else 0
    except (OSError, ValueError, RuntimeError) as error:
        raise MediaError(f"cannot open {named!r}: {_reason(error)}") from error
    if folder:
        raise MediaError(f"{named!r} is a folder, not a {kind} file")
    if not exists:
        raise MediaError(f"no such {kind} file: {named!r}")
    if not regular:
        raise MediaError(f"{named!r} is not a regular file")
    # The suffix of the given name counts, not that of a link's target.
    if (suffix := Path(named).suffix.lower()) not in suffixes:
        raise MediaError(
            f"cannot read {named!r} as {kind}: {suffix or 'no suffix'!r} is not one we know",
            hint=f"use {', '.join(sorted(suffixes))}",
        )
    if size == 0:
        raise MediaError(f"{named!r} is empty")
    return file


@contextmanager
def media_errors(path: Path | str, kind: str) -> Iterator[None]:
    """A context in which errors of decoders become MediaErrors that name the file."""
    try:
        yield
    except MediaError:
        raise
    except (
        av.FFmpegError,
        OSError,
        ValueError,
        SyntaxError,
        LookupError,
        ArithmeticError,
        RuntimeError,
    ) as error:
        raise MediaError(f"cannot read {str(path)!r} as {kind}: {_reason(error)}") from error


@contextmanager
def open_container(path: Path | str, kind: str = "video") -> Iterator[InputContainer]:
    """A context with an open container, in which errors of decoders become MediaErrors.

    Args:
        path: a checked file; see `check_file`.
        kind: for messages.
    """
    with (
        media_errors(path, kind),
        av.open(
            str(Path(path).resolve()),
            # Freeform atoms of other tools are not UTF-8.
            metadata_errors="ignore",
            options={"protocol_whitelist": "file", "format_whitelist": _FORMATS},
        ) as opened,
    ):
        yield opened


def check_complete(path: Path) -> None:
    """Check that an MP4 or MOV file is not cut off: a decoder would give its first frames without an error.

    Raises:
        MediaError: a box reaches past the end of the file.
    """
    if path.suffix.lower() not in {".mp4", ".m4v", ".mov", ".m4a"}:
        return
    with media_errors(path, "video"), path.open("rb") as file:
        total, position = path.stat().st_size, 0
        while position + 8 <= total:
            file.seek(position)
            header = file.read(16)
            size = int.from_bytes(header[:4], "big")
            if size == 1:
                size = int.from_bytes(header[8:16], "big")
            if size == 0:
                return
            if not header[4:8].isascii() or size < 8:
                return
            position += size
        if position > total:
            raise MediaError(f"{path.name!r} is cut off: {total} of at least {position} bytes are there")


def check_pixels(width: int, height: int, path: Path | str) -> None:
    """Check that a frame has pixels, and not too many.

    Raises:
        MediaError: more than `MAX_IMAGE_PIXELS`, or none.
    """
    if width < 1 or height < 1:
        raise MediaError(f"{str(path)!r} has no picture: {width}x{height}")
    if width * height > MAX_IMAGE_PIXELS:
        raise MediaError(
            f"{str(path)!r} is too large: {width}x{height}, at most {MAX_IMAGE_PIXELS // 10**6} megapixels"
        )


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:200]
