"""What a media file is, without reading all of it."""

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

_SOUND_BY_CONTAINER = frozenset({".m4a", ".aac"})


@dataclass(frozen=True, kw_only=True)
class MediaFacts:
    """What a file holds.

    Args:
        kind: `video`, `image` or `audio`.
        width: of the frames as read, in pixels; 0 for sound.
        height: in pixels.
        frames: counted packets, not what the header says; 1 for an image, 0 for sound.
        fps: exact, snapped as `decoding.snap_rate` does; None for images and sound.
        seconds: length.
        container: FFmpeg's or Pillow's name of the file format.
        codec: of the picture; None for sound.
        pixel_format: FFmpeg's or Pillow's name.
        primaries, transfer, matrix, range: colour tags, `unknown` where untagged.
        audio_codec, audio_rate, audio_channels: None without sound.
        bytes: size of the file.
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


def probe(path: Path | str) -> MediaFacts:
    """The facts of a file; the first frame is decoded, the rest only counted.

    Raises:
        MediaError: missing, empty, of no known kind, or it does not decode.
    """
    found = check_file(path, VIDEO_SUFFIXES | IMAGE_SUFFIXES | AUDIO_SUFFIXES, "media")
    suffix = Path(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        width, height, name, pixels = image_facts(found)
        return MediaFacts(
            kind="image", width=width, height=height, frames=1, container=name, codec=name,
            pixel_format=pixels, bytes=found.stat().st_size,
        )  # fmt: skip
    if suffix in AUDIO_SUFFIXES - _SOUND_BY_CONTAINER:
        with media_errors(path, "sound"):
            info = soundfile.info(str(found))
        return MediaFacts(
            kind="audio", seconds=info.frames / info.samplerate, container=info.format.lower(),
            audio_codec=info.subtype.lower(), audio_rate=info.samplerate, audio_channels=info.channels,
            bytes=found.stat().st_size,
        )  # fmt: skip
    check_complete(found)
    with open_container(found) as opened:
        return _container_facts(opened, found)


def _container_facts(opened: av.container.InputContainer, path: Path) -> MediaFacts:
    sound = audio_stream(opened)
    heard: dict[str, Any] = {}
    if sound is not None:
        heard = {
            "audio_codec": sound.codec_context.codec.canonical_name,
            "audio_rate": sound.codec_context.sample_rate,
            "audio_channels": sound.codec_context.channels,
        }
    shared = heard | {"container": _container_name(opened, path), "bytes": path.stat().st_size}
    if sound is not None and path.suffix.lower() in AUDIO_SUFFIXES:
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
    """Of the names of a family of formats the one that the file goes by, else the first."""
    names = opened.format.name.split(",")
    ending = path.suffix.lower().removeprefix(".")
    return ending if ending in names else names[0]


def _tag(names: dict[int, str], frame: int, stream: int) -> str:
    """The frame's own tag, else the container's."""
    return names.get(frame) or names.get(stream, "unknown")
