"""Deinterlacing of decoded frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, Literal

import av
import numpy as np
from av import VideoFrame
from av.filter import Graph

FieldOrder = Literal["tff", "bff"]
"""Which field is shown first: the top one or the bottom one."""

_STREAM_ORDERS: dict[int, FieldOrder] = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}
"""By FFmpeg's AVFieldOrder, as FFmpeg writes it; others are progressive or unknown."""

_STEP = 6
"""Least difference, of 255, between a combed pixel and both its neighbours in the other field."""
_BLOCK = 16
_COMBED_PIXELS = 12
"""Combed pixels that make a block combed, of every second column."""


def stream_field_order(stream: Any) -> FieldOrder | None:
    """The field order that a container gives for an interlaced stream; None for any other."""
    return _STREAM_ORDERS.get(stream.codec_context.field_order)


def deinterlace(frames: Iterable[VideoFrame], order: FieldOrder | None) -> Iterator[VideoFrame]:
    """Decoded frames with interlaced ones deinterlaced: one frame for each, with its time stamp.

    Looked at are frames flagged as interlaced, and all of a stream that has a field order but whose first
    frame has no flag. Of those, frames without combing are given as they are, because cameras store
    progressive pictures as interlaced ones too. The others go through bwdif, which compares each frame with
    the one before and after.

    Args:
        frames: in display order.
        order: of the stream; None where its frames tell by themselves.
    """
    previous: VideoFrame | None = None
    filter_: _Bwdif | None = None
    forced: FieldOrder | None = None
    for frame in frames:
        if previous is None and not frame.interlaced_frame:
            forced = order
        if filter_ is not None and filter_.shape != _shape(frame):
            yield from filter_.finish()
            filter_ = previous = None
        if filter_ is None and (frame.interlaced_frame or forced):
            filter_ = _Bwdif(frame, forced, previous)
        if filter_ is None:
            yield frame
        else:
            yield from filter_.filter(frame)
        previous = frame
    if filter_ is not None:
        yield from filter_.finish()


def is_combed(frame: VideoFrame) -> bool:
    """Whether a frame shows two moments in alternate lines, anywhere in its first plane.

    Source: the measure of FFmpeg's fieldmatch filter: a pixel is combed if it differs from the lines above
    and below in the same direction, and from their smoothed course.
    """
    parts: Any = frame.format.components
    depth = max(part.bits for part in parts)
    plane: Any = frame.planes[0]
    rows = np.frombuffer(plane, np.uint16 if depth > 8 else np.uint8).reshape(plane.height, -1)[:, ::2]
    lines = (rows >> (depth - 8) if depth > 8 else rows).astype(np.int16)
    lines = np.pad(lines, ((2, 2 + -len(lines) % _BLOCK), (0, -lines.shape[1] % _BLOCK)), mode="edge")
    above, here, below = lines[1:-3], lines[2:-2], lines[3:-1]
    up, down = here - above, here - below
    combed = (np.minimum(np.abs(up), np.abs(down)) > _STEP) & ((up > 0) == (down > 0))
    combed &= np.abs(lines[:-4] + 4 * here + lines[4:] - 3 * (above + below)) > 6 * _STEP
    blocks = combed.reshape(len(combed) // _BLOCK, _BLOCK, -1, _BLOCK).sum(axis=(1, 3))
    return bool((blocks >= _COMBED_PIXELS).any())


def _shape(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


class _Bwdif:
    """FFmpeg's bwdif for frames of one shape; gives each frame when it has seen the next one.

    Args:
        frame: the first one that `filter` will get.
        forced: field order of frames that have none.
        previous: the frame before it.
    """

    def __init__(self, frame: VideoFrame, forced: FieldOrder | None, previous: VideoFrame | None) -> None:
        self.shape = _shape(frame)
        self._forced, self._previous = forced, previous
        self._waiting: deque[VideoFrame] = deque()
        self._count = 0
        self._graph = Graph()
        width, height, pixels = self.shape
        tick: Any = Fraction(1, 1)
        buffer = self._graph.add_buffer(width=width, height=height, format=frame.format, time_base=tick)
        flags = [self._graph.add("setfield", forced)] if forced else []
        bwdif = self._graph.add("bwdif", "mode=send_frame:parity=auto:deint=all")
        sink = self._graph.add("buffersink")
        self._graph.link_nodes(buffer, *flags, bwdif, self._graph.add("format", pixels), sink).configure()
        if previous is not None:
            self._push(previous)

    def filter(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """The frames that are ready after one more."""
        self._push(frame)
        return self._ready()

    def finish(self) -> Iterator[VideoFrame]:
        """The last frames."""
        self._graph.vpush(None)
        return self._ready()

    def _push(self, frame: VideoFrame) -> None:
        self._waiting.append(frame)
        # The graph has its own time base, and bwdif needs rising time stamps.
        stamp, frame.pts, self._count = frame.pts, self._count, self._count + 1
        self._graph.vpush(frame)
        frame.pts = stamp

    def _ready(self) -> Iterator[VideoFrame]:
        while True:
            try:
                result = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            frame = self._waiting.popleft()
            if frame is self._previous:
                continue
            if (frame.interlaced_frame or self._forced) and is_combed(frame):
                result.pts, result.duration = frame.pts, frame.duration
                if frame.time_base is not None:
                    result.time_base = frame.time_base
                yield result
            else:
                yield frame
