"""Conversion between RGB and pixel formats of codecs: BT.709, with left chroma siting."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from av import VideoFrame
from av.filter import Graph

from wangp_cli.media.clip import Frames, as_uint8, as_uint16, to_rgb

PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020",
    10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
    10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14: "ictcp",
    15: "ipt-c2", 16: "ycgco-re", 17: "ycgco-ro",
}  # fmt: skip
UNSUPPORTED_MATRICES = frozenset({8, *range(10, 18)})
"""Those of `MATRICES` that FFmpeg does not convert."""
RANGES = {1: "tv", 2: "pc"}
"""Names of ITU-T H.273 code points, as FFmpeg spells them; anything else is `unknown`."""

BT709 = 1
BT2020 = 9
GBR = 0
LIMITED = 1
FULL = 2

_EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
"""Without these flags 4:2:0 loses 1 to 2 dB on the way back to RGB, and 10 bit is worse than 8."""

_KEEP_LIGHT = "in_primaries=bt709:out_primaries=bt709:in_transfer=bt709:out_transfer=bt709"
"""Options of the scale filter that leave transfer and primaries as they are, unknown ones too."""


class Converter:
    """Converts the pixel format of frames of one size.

    Args:
        width: in pixels, of source and result.
        height: in pixels.
        source: pixel format of the frames that `convert` takes.
        result: pixel format of the frames that it gives.
        scale: options of FFmpeg's scale filter.
    """

    def __init__(self, width: int, height: int, source: str, result: str, scale: str) -> None:
        self.graph = Graph()
        buffer = self.graph.add_buffer(width=width, height=height, format=source, time_base=Fraction(1, 1))  # type: ignore[arg-type]
        stages = [
            buffer,
            self.graph.add("setfield", "prog"),
            self.graph.add("scale", scale),
            self.graph.add("format", result),
        ]
        self.graph.link_nodes(*stages, self.graph.add("buffersink")).configure()

    def convert(self, frame: VideoFrame) -> VideoFrame:
        """The frame in the result's pixel format."""
        # The graph has its own time base, so it must not see the frame's time stamp.
        frame.pts = None
        self.graph.vpush(frame)
        return self.graph.vpull()


def to_encoder(width: int, height: int, source: str, result: str) -> Converter:
    """A converter from full-range RGB to an encoder's format: BT.709, limited range, left chroma siting."""
    if result.startswith(("rgb", "bgr", "gbr")):
        return Converter(width, height, source, result, f"flags={_EXACT}")
    matrix = "out_color_matrix=bt709:out_range=tv:out_primaries=bt709:out_transfer=bt709"
    return Converter(width, height, source, result, f"{matrix}:out_chroma_loc=left:flags={_EXACT}")


def from_decoder(frame: VideoFrame) -> Converter:
    """A converter from a decoded frame's format to full-range RGB, by the colour tags of the frame.

    Without tags, frames count as limited-range BT.601, as FFmpeg's tools assume. The result has the transfer
    and primaries of the frame, for `hdr.to_bt709`: FFmpeg's own conversion is off by up to 60 levels.
    """
    result = rgb_format(frame)
    siting = (
        ":in_chroma_loc=left"
        if any(layout in frame.format.name for layout in ("420", "422", "411", "p010", "nv12"))
        else ""
    )
    scale = f"out_range=pc{siting}:{_KEEP_LIGHT}:flags={_EXACT}"
    return Converter(frame.width, frame.height, frame.format.name, result, scale)


def rgb_format(frame: VideoFrame) -> str:
    """The RGB pixel format that holds a frame without loss: `rgb24`, `rgba`, `rgb48le` or `rgba64le`."""
    parts: Any = frame.format.components
    deep = max(part.bits for part in parts) > 8
    alpha = any(part.is_alpha for part in parts) or frame.format.name == "pal8"
    return ("rgba64le" if deep else "rgba") if alpha else ("rgb48le" if deep else "rgb24")


def with_full_alpha(pixels: Frames, frame: VideoFrame) -> Frames:
    """Pixels of a decoded frame, whose alpha is widened so that opaque is 65535.

    FFmpeg widens alpha of 9 to 15 bits by a shift, which makes what is opaque a little transparent.

    Args:
        pixels: uint16 `[H, W, 4]` as converted from the frame; others are returned as they are.
        frame: tells how many bits its alpha has.
    """
    parts: Any = frame.format.components
    bits = next((part.bits for part in parts if part.is_alpha), 0)
    if not 8 < bits < 16:
        return pixels
    pixels = pixels.copy()
    pixels[..., 3] |= pixels[..., 3] >> bits
    return pixels


def source_frames(frames: Frames, *, deep: bool) -> tuple[Frames, str]:
    """Frames as RGB or RGBA of 8 or 16 bits, with the name of their pixel format.

    Args:
        frames: `[T, H, W, C]`, any dtype of `Frames`.
        deep: give 16 bits, else round to 8. Deep encoders get 16 bits from any source, because FFmpeg widens
            8 bits by a shift, which makes white too dark.
    """
    alpha = frames.shape[3] == 4
    if not alpha:
        frames = to_rgb(frames)
    if deep:
        return np.ascontiguousarray(as_uint16(frames)), "rgba64le" if alpha else "rgb48le"
    return np.ascontiguousarray(as_uint8(frames)), "rgba" if alpha else "rgb24"
