"""Opening untrusted media files: local, regular, complete, of known kinds and bounded size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import av
from av.container import InputContainer

from wangp_cli.errors import MediaError
from wangp_cli.media.animated_webp import webp_as_video
from wangp_cli.media.sniff import MEDIA_SUFFIXES, foreign_content, media_suffix

MAX_IMAGE_PIXELS = 64_000_000
"""Pixels of the largest image or frame that is decoded: a 48 KB PNG can hold 400 million."""
MAX_CLIP_BYTES = 32 * 2**30
"""Most bytes that a clip may take in memory."""

# Only plain containers: playlists (HLS, DASH, concat) and scripts name other files and URLs.
_FORMATS = (
    "apng,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,mpegvideo,asf,flv,ogg,mxf,dv,rm,nut,"
    "yuv4mpegpipe,aac,loas,mp3,wav,w64,flac,aiff,caf,au,amr,amrnb,amrwb,ac3,eac3,dts,dtshd,truehd,mlp,"
    "wv,ape,tta,tak,mpc,mpc8,dsf"
)
_SPELLED_WITH_VOWEL = "aefhilmnorsx"
_USUAL = "use an image, a video or audio, such as .png, .jpg, .mp4, .mkv, .wav or .mp3"
_WORDS = frozenset({".flac", ".heic", ".heif", ".mpeg", ".mpg", ".jfif"})
_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")


def check_file(path: Path | str, kind: str) -> Path:
    """Check that a file may be opened as media, whatever its suffix is; gives its absolute path.

    Args:
        path: as the user gave it.
        kind: `video`, `image`, `audio` or `media`, for messages.

    Raises:
        MediaError: a URL, missing, not a regular file, empty, or certainly no media, such as a web page.
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
    if size == 0:
        raise MediaError(f"{named!r} is empty")
    with media_errors(path, kind):
        other = foreign_content(file)
    if other is not None:
        raise MediaError(
            f"{named!r} is not {_expected(Path(named).suffix)} but {other}",
            hint="git lfs pull" if "LFS" in other else _USUAL,
        )
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
def open_container(
    path: Path | str,
    kind: str = "video",
    options: Mapping[str, str] = _NO_OPTIONS,
    part: tuple[int, int] | None = None,
) -> Iterator[InputContainer]:
    """A context with an open container, in which errors of decoders become MediaErrors.

    Args:
        path: a checked file; see `check_file`.
        kind: for messages.
        options: FFmpeg's, for its demuxer.
        part: bytes of the file at which it begins and ends; None for the whole file.
    """
    protocols = "file" if part is None else "file,subfile"
    with (
        media_errors(path, kind),
        av.open(
            ("" if part is None else f"subfile,,start,{part[0]},end,{part[1]},,:")
            + _video_name(Path(path).resolve()),
            # Freeform atoms of other tools are not UTF-8.
            metadata_errors="ignore",
            options={**options, "protocol_whitelist": protocols, "format_whitelist": _FORMATS},
        ) as opened,
    ):
        yield opened


def _video_name(path: Path) -> str:
    """The name of a file that FFmpeg decodes."""
    if media_suffix(path) != ".webp":
        return str(path)
    return webp_as_video(path, MAX_IMAGE_PIXELS, MAX_CLIP_BYTES)


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


def _expected(suffix: str) -> str:
    """What a file is by its suffix, with its article: `an MP4`."""
    name = suffix.lower()
    if name not in MEDIA_SUFFIXES:
        return "a media file"
    vowel = name[1] in _SPELLED_WITH_VOWEL and name not in _WORDS
    return f"{'an' if vowel else 'a'} {name[1:].upper()}"


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:200]
