"""Decoded frames as what models see: BT.709, square pixels, upright.

Deinterlacing comes before, in `deinterlace`, as it needs neighbouring frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av import VideoFrame

from wangp_cli.media import colour
from wangp_cli.media.clip import Frames
from wangp_cli.media.deinterlace import stream_field_order
from wangp_cli.media.hdr import conversion_notice, differs_from_bt709, is_hdr, to_bt709
from wangp_cli.media.orientation import UPRIGHT, Orientation
from wangp_cli.media.square import SQUARE, pixel_aspect, square_notice, square_size, to_square

_FIELD_ORDERS = {"tff": "top field first", "bff": "bottom field first"}
UNKNOWN = 2
"""Code of ITU-T H.273 for primaries, transfer and matrix."""
_KEPT_CONVERTERS = 4
_DOLBY_VISION = frozenset({"dvh1", "dvhe", "dva1", "dvav", "dav1"})
"""Codes of video in MP4 that a decoder must know the metadata of, unless its tags say otherwise."""
_ADVICE = ", convert the video to BT.709"


@dataclass(frozen=True, kw_only=True)
class StoredPicture:
    """How a decoded frame is stored.

    Args:
        width: in pixels.
        height: in pixels.
        aspect: width of a pixel by its height.
        orientation: of the stored pixels.
        primaries, transfer, matrix, range: codes of ITU-T H.273; 2 is unknown, for a range 0.
        field_order: `progressive`, `interlaced`, `top field first` or `bottom field first`.
    """

    width: int
    height: int
    aspect: Fraction = SQUARE
    orientation: Orientation = UPRIGHT
    primaries: int = UNKNOWN
    transfer: int = UNKNOWN
    matrix: int = UNKNOWN
    range: int = 0
    field_order: str = "progressive"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height with square pixels, upright."""
        return self.orientation.size(*square_size(self.width, self.height, self.aspect))

    @property
    def display_aspect(self) -> Fraction:
        """Width of the upright picture by its height, as it is shown."""
        shown = self.width * self.aspect / self.height
        return 1 / shown if self.orientation.transpose else shown

    @property
    def notices(self) -> tuple[str, ...]:
        """What is changed on reading, a sentence each."""
        told = []
        if differs_from_bt709(self.transfer, self.primaries):
            told.append(conversion_notice(self.transfer, self.primaries))
        if self.field_order != "progressive":
            order = "" if self.field_order == "interlaced" else f", {self.field_order}"
            told.append(f"its interlaced frames are deinterlaced{order}")
        if self.aspect != SQUARE:
            told.append(square_notice(self.width, self.height, self.aspect))
        if notice := self.orientation.notice:
            told.append(notice)
        return tuple(told)

    def normalise(self, pixels: Frames) -> Frames:
        """RGB or RGBA of it, uint8 or uint16 `[H, W, C]`, as BT.709 with square pixels, upright."""
        if differs_from_bt709(self.transfer, self.primaries):
            pixels = to_bt709(pixels, self.transfer, self.primaries)
        return self.orientation.apply(to_square(pixels, self.aspect))


class Normaliser:
    """Converts the decoded frames of one stream to RGB or RGBA arrays.

    Args:
        stream: open video stream; it is not used after this.
    """

    def __init__(self, stream: Any) -> None:
        context = stream.codec_context
        self._aspect = pixel_aspect(stream.sample_aspect_ratio)
        self._order = stream_field_order(stream)
        self._tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        self._dolby_vision = context.codec_tag in _DOLBY_VISION
        self._converters: dict[object, colour.Converter] = {}
        self._orientation: Orientation | None = None

    def describe(self, frame: VideoFrame) -> StoredPicture:
        """How a frame is stored, by its own tags, else by those of the stream.

        Raises:
            ValueError: its colours are in a system that is not supported.
        """
        primaries, transfer, matrix = self._colours(frame)
        if matrix in colour.UNSUPPORTED_MATRICES:
            raise ValueError(f"its colour matrix {colour.MATRICES[matrix]} is not supported{_ADVICE}")
        if self._dolby_vision and transfer == UNKNOWN:
            raise ValueError(f"Dolby Vision without a base layer of HDR10 or HLG is not supported{_ADVICE}")
        return StoredPicture(
            width=frame.width,
            height=frame.height,
            aspect=self._aspect,
            orientation=self._orientation_of(frame),
            primaries=primaries,
            transfer=transfer,
            matrix=matrix,
            range=_known(colour.RANGES, frame.color_range, self._tags[3], 0),
            field_order=self._field_order(frame),
        )

    def to_array(self, frame: VideoFrame) -> Frames:
        """A frame as `[H, W, 3]`, or `[H, W, 4]` where it has alpha: uint16 if it has more than 8 bits."""
        return self.describe(frame).normalise(self.to_rgb(frame))

    def to_rgb(self, frame: VideoFrame) -> Frames:
        """The pixels of a frame with the colours, shape and orientation that it is stored with."""
        picture = self.describe(frame)
        key = (frame.width, frame.height, frame.format.name, picture.matrix, picture.range)
        if key not in self._converters:
            if len(self._converters) == _KEPT_CONVERTERS:
                self._converters.clear()
            self._converters[key] = colour.from_decoder(frame)
        # The decoder does not always repeat the tags of the container.
        frame.colorspace, frame.color_range = picture.matrix, picture.range
        pixels: Frames = self._converters[key].convert(frame).to_ndarray()
        return colour.with_full_alpha(pixels, frame)

    def _colours(self, frame: VideoFrame) -> tuple[int, int, int]:
        """Primaries, transfer and matrix, as codes of ITU-T H.273."""
        primaries = _known(colour.PRIMARIES, frame.color_primaries, self._tags[0], UNKNOWN)
        transfer = _known(colour.TRANSFERS, frame.color_trc, self._tags[1], UNKNOWN)
        matrix = _known(colour.MATRICES, frame.colorspace, self._tags[2], UNKNOWN)
        if is_hdr(transfer) or colour.BT2020 in (primaries, matrix):
            # These tags come together; where one of them is missing the others tell it.
            primaries = colour.BT2020 if primaries == UNKNOWN else primaries
            matrix = colour.BT2020 if matrix == UNKNOWN else matrix
        return primaries, transfer, matrix

    def _orientation_of(self, frame: VideoFrame) -> Orientation:
        """The orientation of the first frame, which the container gives all frames.

        Side data of every frame is not read: PyAV puts a frame whose side data was read into a reference
        cycle, so that it stays in memory until the garbage collector runs, hundreds of frames later.
        """
        if self._orientation is None:
            self._orientation = _orientation(frame)
        return self._orientation

    def _field_order(self, frame: VideoFrame) -> str:
        if self._order is not None:
            return _FIELD_ORDERS[self._order]
        return "interlaced" if frame.interlaced_frame else "progressive"


def _orientation(frame: VideoFrame) -> Orientation:
    matrix = next((data for data in frame.side_data if data.type.name == "DISPLAYMATRIX"), None)
    return UPRIGHT if matrix is None else Orientation.from_display_matrix(bytes(matrix))


def _known(names: dict[int, str], frame: int, stream: int, default: int) -> int:
    """The code of the frame, else of the stream, else the default."""
    return next((code for code in (frame, stream) if code in names), default)
