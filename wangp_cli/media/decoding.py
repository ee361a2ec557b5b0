"""Streams of an open container: choosing them, their rates, packets and decoded frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from wangp_cli.errors import MediaError
from wangp_cli.media.frame_times import snap_rate
from wangp_cli.media.opening import MAX_IMAGE_PIXELS, check_pixels

_COVERS = Disposition.attached_pic | Disposition.timed_thumbnails
_SPECIAL = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions | Disposition.karaoke
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def declared_rates(stream: Any) -> list[Fraction]:
    """Frames per second that an open video stream claims, likeliest first, snapped."""
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return [snap_rate(Fraction(rate)) for rate in rates if rate and 0 < rate <= 1000]


def has_video(opened: InputContainer) -> bool:
    """Whether a container has a video stream with a known codec that is no cover image."""
    return bool(_videos(opened))


def video_stream(opened: InputContainer, path: Path | str) -> Any:
    """The video stream to read, not a cover image; the default one of several.

    Raises:
        MediaError: there is none with a known codec, or its frames have no pixels or too many.
    """
    if not (known := _videos(opened)):
        raise MediaError(f"{str(path)!r} has no video in it that we can decode")
    check_pixels(known[0].width, known[0].height, path)
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


def _rank(stream: Any) -> tuple[bool, bool, bool]:
    # The animation of an AVIF is a second stream, after its picture.
    still = stream.frames == 1
    return bool(stream.disposition & _SPECIAL), not stream.disposition & Disposition.default, still


def decode_frames(opened: InputContainer, stream: Any) -> Iterator[av.VideoFrame]:
    """The frames of a stream in display order, from the container's current position.

    Packets that do not decode give none, as in every player.
    """
    stream.thread_type = "AUTO"
    # Frames may be larger than the header says.
    stream.codec_context.options = {"max_pixels": str(MAX_IMAGE_PIXELS)}
    decoder: Any = stream.codec_context
    codec = decoder.codec.canonical_name
    if codec in _ALPHA_DECODERS and "1" in {stream.metadata.get(key) for key in ("alpha_mode", "ALPHA_MODE")}:
        # FFmpeg's own VP8 and VP9 decoders drop the alpha channel; libvpx gives it.
        decoder = av.CodecContext.create(_ALPHA_DECODERS[codec], "r")
    with suppress(av.FFmpegError):
        for packet in opened.demux(stream):
            # An empty packet would make the decoder drop what it has kept.
            if packet.size:
                with suppress(av.FFmpegError):
                    yield from decoder.decode(packet)
    with suppress(av.FFmpegError):
        yield from decoder.decode(None)
