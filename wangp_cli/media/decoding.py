"""Streams of an open container: choosing them, their frame rate, time stamps and decoded frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from wangp_cli.errors import MediaError
from wangp_cli.media.opening import MAX_IMAGE_PIXELS

_RATES = [Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120)]
_COVERS = Disposition.attached_pic | Disposition.timed_thumbnails
_SPECIAL = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions | Disposition.karaoke
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def snap_rate(rate: Fraction) -> Fraction:
    """The standard rate nearest to one that was rounded: MKV and WebM store times in milliseconds."""
    for known in [Fraction(round(rate)), *_RATES]:
        if known and abs(rate - known) < Fraction(1, 10_000):
            return known
    return rate


def frame_rate(stream: Any) -> Fraction:
    """Frames per second of an open video stream, snapped.

    Raises:
        MediaError: the file has no frame rate.
    """
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= 1000:
            return snap_rate(Fraction(rate))
    raise MediaError("the video has no frame rate")


def frame_timestamps(opened: InputContainer, stream: Any) -> tuple[int, list[int] | None]:
    """The number of frames of a stream, and their sorted time stamps; None where time stamps are missing.

    Reads the container to its end.
    """
    stamps = [packet.pts for packet in opened.demux(stream) if packet.size and not packet.is_discard]
    if any(stamp is None for stamp in stamps) or len(set(stamps)) != len(stamps):
        return len(stamps), None
    return len(stamps), sorted(stamps)


def has_video(opened: InputContainer) -> bool:
    """Whether a container has a video stream with a known codec that is no cover image."""
    return bool(_videos(opened))


def video_stream(opened: InputContainer, path: Path | str) -> Any:
    """The video stream to read, not a cover image; the default one of several.

    Raises:
        MediaError: there is none with a known codec.
    """
    if not (known := _videos(opened)):
        raise MediaError(f"{str(path)!r} has no video in it that we can decode")
    return known[0]


def audio_streams(opened: InputContainer) -> list[Any]:
    """The audio streams with known codecs, the default one first and commentaries last."""
    return sorted(_known(opened.streams.audio), key=_rank)


def _videos(opened: InputContainer) -> list[Any]:
    # A cover image is a video stream too.
    shown = [stream for stream in _known(opened.streams.video) if not stream.disposition & _COVERS]
    return sorted(shown, key=_rank)


def _known(streams: Iterable[Any]) -> list[Any]:
    # A stream of an unknown codec has no context.
    return [stream for stream in streams if stream.codec_context is not None]


def _rank(stream: Any) -> tuple[bool, bool]:
    return bool(stream.disposition & _SPECIAL), not stream.disposition & Disposition.default


def decode_frames(opened: InputContainer, stream: Any) -> Iterator[av.VideoFrame]:
    """The frames of a stream in display order, from the container's current position."""
    stream.thread_type = "AUTO"
    # Frames may be larger than the header says.
    stream.codec_context.options = {"max_pixels": str(MAX_IMAGE_PIXELS)}
    codec = stream.codec_context.codec.canonical_name
    if codec not in _ALPHA_DECODERS or "1" not in {
        stream.metadata.get(key) for key in ("alpha_mode", "ALPHA_MODE")
    }:
        yield from opened.decode(stream)
        return
    # FFmpeg's own VP8 and VP9 decoders drop the alpha channel; libvpx gives it.
    decoder: Any = av.CodecContext.create(_ALPHA_DECODERS[codec], "r")
    for packet in opened.demux(stream):
        yield from decoder.decode(packet if packet.size else None)
