"""Facts of media files: kind, size, length, rate, codecs and colour tags."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import soundfile

from wangp_cli.errors import MediaError
from wangp_cli.media import colour
from wangp_cli.media.decoding import audio_stream, decode_frames, frame_rate, frame_timestamps, video_stream
from wangp_cli.media.opening import (
    AUDIO_SUFFIXES,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    check_complete,
    check_file,
    check_pixels,
    media_errors,
    open_container,
)
from wangp_cli.media.stills import image_facts

_AUDIO_IN_CONTAINERS = frozenset({".m4a", ".aac"})


@dataclass(frozen=True, kw_only=True)
class MediaFacts:
    """Facts of a video, image or audio file.

    Args:
        kind: `video`, `image` or `audio`.
        width: of the upright frames, in pixels; 0 for audio.
        height: in pixels.
        frames: counted packets, whatever the header says; 1 for an image, 0 for audio.
        fps: exact, snapped as `decoding.snap_rate` does; None for images and audio.
        seconds: length.
        container: FFmpeg's or Pillow's name of the file format.
        codec: of video or image; None for audio.
        pixel_format: FFmpeg's or Pillow's name.
        primaries, transfer, matrix, range: colour tags, `unknown` where untagged.
        audio_codec, audio_rate, audio_channels: None without audio.
        bytes: size of the file.
        notices: what is changed of the file on reading, a sentence each.
    """

    kind: Literal["video", "image", "audio"]
    width: int = 0
    height: int = 0
    frames: int = 0
    fps: Fraction | None = None
    seconds: float = 0.0
    container: str = ""
    codec: str | None = None
    pixel_format: str | None = None
    primaries: str = "unknown"
    transfer: str = "unknown"
    matrix: str = "unknown"
    range: str = "unknown"
    audio_codec: str | None = None
    audio_rate: int | None = None
    audio_channels: int | None = None
    bytes: int = 0
    notices: tuple[str, ...] = ()


def probe(path: Path | str) -> MediaFacts:
    """The facts of a file; the first frame is decoded, the others are only counted.

    Raises:
        MediaError: the file is missing, empty, of an unknown kind, or does not decode.
    """
    file = check_file(path, VIDEO_SUFFIXES | IMAGE_SUFFIXES | AUDIO_SUFFIXES, "media")
    suffix = Path(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        width, height, name, pixels = image_facts(file)
        return MediaFacts(
            kind="image", width=width, height=height, frames=1, container=name, codec=name,
            pixel_format=pixels, bytes=file.stat().st_size,
        )  # fmt: skip
    if suffix in AUDIO_SUFFIXES - _AUDIO_IN_CONTAINERS:
        with media_errors(path, "audio"):
            info = soundfile.info(str(file))
        return MediaFacts(
            kind="audio", seconds=info.frames / info.samplerate, container=info.format.lower(),
            audio_codec=info.subtype.lower(), audio_rate=info.samplerate, audio_channels=info.channels,
            bytes=file.stat().st_size,
        )  # fmt: skip
    check_complete(file)
    with open_container(file) as opened:
        return _container_facts(opened, file)


def _container_facts(opened: av.container.InputContainer, path: Path) -> MediaFacts:
    audio = audio_stream(opened)
    audio_facts: dict[str, Any] = {}
    if audio is not None:
        audio_facts = {
            "audio_codec": audio.codec_context.codec.canonical_name,
            "audio_rate": audio.codec_context.sample_rate,
            "audio_channels": audio.codec_context.channels,
        }
    shared = audio_facts | {"container": _container_name(opened, path), "bytes": path.stat().st_size}
    if audio is not None and path.suffix.lower() in AUDIO_SUFFIXES:
        return MediaFacts(kind="audio", seconds=float((opened.duration or 0) / av.time_base), **shared)
    stream = video_stream(opened, path)
    check_pixels(stream.width, stream.height, path)
    frame = next(decode_frames(opened, stream), None)
    if frame is None:
        raise MediaError(f"{str(path)!r} has no frames")
    opened.seek(0)
    frames, _ = frame_timestamps(opened, stream)
    fps = frame_rate(stream)
    context = stream.codec_context
    width, height = (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)
    return MediaFacts(
        kind="video", width=width, height=height, frames=frames, fps=fps, seconds=float(frames / fps),
        codec=context.codec.canonical_name, pixel_format=frame.format.name,
        primaries=_tag(colour.PRIMARIES, frame.color_primaries, context.color_primaries),
        transfer=_tag(colour.TRANSFERS, frame.color_trc, context.color_trc),
        matrix=_tag(colour.MATRICES, frame.colorspace, context.colorspace),
        range=_tag(colour.RANGES, frame.color_range, context.color_range), **shared,
    )  # fmt: skip


def _container_name(opened: av.container.InputContainer, path: Path) -> str:
    """FFmpeg's format name; of several the one equal to the file's suffix, else the first."""
    names = opened.format.name.split(",")
    ending = path.suffix.lower().removeprefix(".")
    return ending if ending in names else names[0]


def _tag(names: dict[int, str], frame: int, stream: int) -> str:
    """The name of the frame's tag, else of the stream's, else `unknown`."""
    return names.get(frame) or names.get(stream, "unknown")
