"""Where the pictures of a video file are: their time stamps, the frames made of them, and where to seek."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av

from wangp_cli.errors import MediaError
from wangp_cli.media.decoding import audio_streams, declared_rates, decode_frames, video_stream
from wangp_cli.media.frame_times import FrameTimes, constant_times
from wangp_cli.media.opening import open_container

_LONGEST_GAP = Fraction(7200)
"""Seconds between pictures of a file."""
_CLOCK_STEP = Fraction(10)
"""Seconds that FFmpeg, too, takes for the step of a clock that starts again."""
_SAMPLE = 16
"""Pictures that tell whether stamps are in order."""
_STREAMED = frozenset({"mpegts", "mpeg"})
"""Containers without an index, whose clock may start again."""


@dataclass(frozen=True, kw_only=True)
class VideoIndex:
    """The pictures of a video stream and the frames at a constant rate that they make.

    Args:
        times: of the frames.
        stamps: time stamp of each decoded picture in display order, in ticks of the stream.
        by_stamp: decoded pictures carry these stamps; else they are counted from the start of the file.
        keys: stamps of pictures from which decoding may start, in order.
        seeks: stamps to seek for each of them.
        longest_gap: seconds beyond which the time stamps have started again.
        error: why the file cannot be read to its end; empty if it can.
    """

    times: FrameTimes
    stamps: Sequence[int]
    by_stamp: bool
    keys: Sequence[int]
    seeks: Sequence[int]
    longest_gap: Fraction
    error: str

    def keys_before(self, picture: int) -> int:
        """How many pictures up to this one may be sought; 0 where pictures are counted."""
        return bisect_right(self.keys, self.stamps[picture]) if self.by_stamp else 0

    def seeks_before(self, picture: int) -> list[tuple[int, int]]:
        """Key pictures before a picture with the stamps to seek, the nearest first; none at the start."""
        nearest = self.keys_before(picture)
        # With a poor index a seek may land after the picture; then it is tried from two key pictures before.
        found = [key - 1 for key in (nearest, nearest - 2) if key > 1]
        return [(bisect_left(self.stamps, self.keys[key]), self.seeks[key]) for key in found]

    def numbered(self, frames: Iterator[av.VideoFrame]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decoded frames with the numbers of their pictures.

        Args:
            frames: of the file, from its start on where pictures are counted.
        """
        if not self.by_stamp:
            yield from enumerate(frames)
            return
        for frame in frames:
            if frame.pts is not None:
                number = bisect_left(self.stamps, frame.pts)
                if number < len(self.stamps) and self.stamps[number] == frame.pts:
                    yield number, frame


def video_index(path: Path, *, whole: bool = True) -> VideoIndex:
    """The index of a checked video file, kept for the files that were read last.

    Packets are read to the end of the file. They are decoded only where they do not tell whether they give
    a picture: before the first key frame is complete, or throughout where stamps are missing or start again.

    Args:
        path: of the file.
        whole: refuse a file that cannot be read to its end.

    Raises:
        MediaError: it has no pictures, or none that can be decoded.
    """
    index = _read_index(path, file_version(path))
    if whole and index.error:
        raise MediaError(
            f"{path.name!r} cannot be read to its end: {index.error}, {len(index.stamps)} frames are there",
            hint="ffmpeg -i FILE -c copy whole.mkv keeps these frames",
        )
    return index


def file_version(path: Path) -> tuple[int, ...]:
    """What tells a file from another of its name, and from itself after a change."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(frozen=True, kw_only=True)
class _Packet:
    pts: int | None
    dts: int | None
    duration: int | None
    key: bool
    shown: bool


@dataclass(frozen=True, kw_only=True)
class _Stream:
    container: str
    tick: Fraction
    rates: Sequence[Fraction]
    delay: int
    packets: Sequence[_Packet]
    longest_gap: Fraction
    error: str


@lru_cache(maxsize=64)
def _read_index(path: Path, version: tuple[int, ...]) -> VideoIndex:  # noqa: ARG001 - the key of the cache
    stream = _read_stream(path)
    packets, tick = stream.packets, stream.tick
    coded = _in_decoding_order(path, stream)
    stamps = _places(packets, stream.delay) if coded else _packet_stamps(path, stream)
    by_stamp = stamps is not None and not coded
    if stamps is None:
        stamps = _decoded_stamps(path, stream)
    if not stamps:
        raise MediaError(f"{path.name!r} has no frames that can be decoded")
    last = next((packet.duration for packet in packets if packet.pts == stamps[-1]), None)
    # Streams without an index are sought by decoding times, others by presentation times.
    by_dts = stream.container in _STREAMED
    keys = sorted(
        (packet.pts, packet.dts if by_dts and packet.dts is not None else packet.pts)
        for packet in packets
        if packet.key and packet.pts is not None
    )
    times = constant_times(stamps, tick, stream.rates, last)
    if stream.container == "avi" and packets[0].dts is not None:
        # AVI counts frames, in which FFmpeg's presentation times are late.
        times = replace(times, start=packets[0].dts * tick)
    return VideoIndex(
        times=times,
        stamps=stamps,
        by_stamp=by_stamp,
        keys=[pts for pts, _ in keys],
        seeks=[seek for _, seek in keys],
        longest_gap=stream.longest_gap,
        error=stream.error,
    )


def _read_stream(path: Path) -> _Stream:
    """The packets of the video stream, and what its header says."""
    packets: list[_Packet] = []
    heard: list[int] = []
    error = ""
    with open_container(path) as opened:
        stream = video_stream(opened, path)
        others = audio_streams(opened)[:1] if opened.format.name in _STREAMED else []
        try:
            for packet in opened.demux([stream, *others]):
                if packet.stream_index != stream.index:
                    heard += [] if packet.dts is None else [packet.dts]
                elif _has_time(packet):
                    packets.append(_packet(packet, stream))
        except av.FFmpegError as caught:
            error = caught.strerror
        # A gap in the video alone is a gap, one of all streams at once is a clock that starts again.
        clock = [_CLOCK_STEP / other.time_base for other in others]
        jumps = any(after - before > clock[0] for before, after in pairwise(heard))
        return _Stream(
            container=opened.format.name,
            tick=stream.time_base,
            rates=declared_rates(stream),
            delay=stream.codec_context.reorder_depth,
            packets=packets,
            longest_gap=_CLOCK_STEP if jumps else _LONGEST_GAP,
            error=error,
        )


def _has_time(packet: av.Packet) -> bool:
    """Whether a packet holds a picture; an empty one of Theora shows the picture before it once more."""
    repeats = packet.stream.codec_context.name == "theora" and packet.pts is not None
    return bool(packet.size) or repeats


def _packet(packet: av.Packet, stream: Any) -> _Packet:
    # The fifth bit of a VP8 frame says whether it is shown or only a reference for others.
    hidden = stream.codec_context.name == "vp8" and not bytes(packet)[0] & 0x10
    return _Packet(
        pts=packet.pts,
        dts=packet.dts,
        duration=packet.duration,
        key=packet.is_keyframe,
        shown=not packet.is_discard and not hidden,
    )


def _packet_stamps(path: Path, stream: _Stream) -> list[int] | None:
    """Sorted stamps of the pictures that packets give; None if packets do not tell them.

    GIF has packets of comments alone.
    """
    packets = stream.packets
    shown = [packet for packet in packets if packet.shown]
    if not shown or stream.container == "gif":
        return None
    if stream.container in _STREAMED and _clock_restarts(packets, stream.longest_gap / stream.tick):
        return None
    first = packets[0]
    stamps = [packet.pts for packet in shown if packet.pts is not None]
    complete = first.key and first.pts is not None and len(stamps) == len(shown) and min(stamps) >= first.pts
    found = sorted(stamps) if complete else _stamps_from_first_key(path, packets)
    return found if found and len(set(found)) == len(found) else None


def _clock_restarts(packets: Sequence[_Packet], longest: Fraction) -> bool:
    times = [packet.dts for packet in packets if packet.dts is not None]
    return any(not 0 <= after - before <= longest for before, after in pairwise(times))


def _stamps_from_first_key(path: Path, packets: Sequence[_Packet]) -> list[int] | None:
    """Stamps where packets before the first key frame, or that are shown before it, may give no picture."""
    key = next((packet.pts for packet in packets if packet.key and packet.pts is not None), None)
    if key is None:
        return None
    pictures: list[int] = []
    with open_container(path) as opened:
        for frame in decode_frames(opened, video_stream(opened, path)):
            if frame.pts is None or (pictures and frame.pts <= pictures[-1]):
                return None
            pictures.append(frame.pts)
            if frame.pts >= key:
                break
    if not pictures:
        return None
    # In decoding order all packets after the first one behind the pictures seen are behind them, too.
    stamps = [packet.pts for packet in packets if packet.shown]
    later = [pts for pts in stamps if pts is not None and pts > pictures[-1]]
    first = stamps.index(later[0]) if later else len(stamps)
    return None if None in stamps[first:] else pictures + sorted(later)


def _in_decoding_order(path: Path, stream: _Stream) -> bool:
    """Whether stamps follow the order of decoding, though pictures are shown in another: AVI has no other."""
    given = (packet.dts if packet.pts is None else packet.pts for packet in stream.packets if packet.shown)
    stamps = [stamp for stamp in given if stamp is not None]
    if (
        not stream.delay
        or len(stamps) < sum(p.shown for p in stream.packets)
        or stamps != sorted(set(stamps))
    ):
        return False
    with open_container(path) as opened:
        frames = decode_frames(opened, video_stream(opened, path))
        shown = [-1 if frame.pts is None else frame.pts for frame in islice(frames, _SAMPLE)]
    return any(after <= before for before, after in pairwise(shown))


def _places(packets: Sequence[_Packet], delay: int) -> list[int] | None:
    """Stamps in the order of display, with decoding `delay` pictures ahead; None if some are missing."""
    places = sorted(packet.dts for packet in packets if packet.shown and packet.dts is not None)
    if len(places) != len(set(places)) or len(places) != sum(packet.shown for packet in packets):
        return None
    late = min(delay, len(places) - 1)
    head = [place - places[0] for place in places[1 : late + 1]]
    shown = [place - sum(head[-1:]) for place in places[late:]]
    return shown + [shown[-1] + place for place in head]


def _decoded_stamps(path: Path, stream: _Stream) -> list[int]:
    """Stamps of all decoded pictures; missing ones and those of a restarted clock follow the last."""
    step = 1 / (stream.rates[0] * stream.tick) if stream.rates else Fraction(1)
    longest = stream.longest_gap / stream.tick
    stamps: list[Fraction] = []
    offset = shown = Fraction(0)
    with open_container(path) as opened:
        for frame in decode_frames(opened, video_stream(opened, path)):
            expected = stamps[-1] + shown if stamps else Fraction(0)
            stamp = expected if frame.pts is None else frame.pts + offset
            if stamps and stream.container in _STREAMED and not 0 < stamp - stamps[-1] < longest:
                offset, stamp = offset + expected - stamp, expected
            elif stamps and stamp <= stamps[-1]:
                stamp = stamps[-1] + 1
            stamps.append(stamp)
            shown = Fraction(frame.duration or step)
    return [round(stamp) for stamp in stamps]
