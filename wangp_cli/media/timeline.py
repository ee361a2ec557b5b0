"""Drawing of a video's guide and result side by side, with a timeline of its segments and anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wangp_cli.media.clip import Frames, as_uint8
from wangp_cli.media.resize import fit
from wangp_cli.media.sheet import timestamp

PANEL_HEIGHT, THUMBNAIL = 400, 96
_MARGIN, _GAP, _LINE = 16, 8, 22
_BAR = 14
_BACKGROUND, _TEXT, _DIM = (24, 24, 26), (214, 214, 218), (138, 138, 146)
_KEPT, _GENERATED, _ALTERNATE, _CURSOR = (88, 88, 96), (64, 116, 176), (46, 84, 128), (255, 196, 64)


@dataclass(frozen=True, kw_only=True, eq=False)
class TimelineContent:
    """The parts of a video to draw on a timeline.

    Args:
        total: frames of the video.
        fps: of the video.
        size: of the video, width and height in pixels.
        generated: first frame of each generated part, and the frame after its last.
        anchors: frame index of each anchor image, and the image `[1, H, W, 3]`.
    """

    total: int
    fps: Fraction
    size: tuple[int, int]
    generated: Sequence[tuple[int, int]]
    anchors: Sequence[tuple[int, Frames]] = ()


class TimelineRenderer:
    """Draws one image per frame: guide and result side by side, the timeline, and a cursor on it."""

    def __init__(self, content: TimelineContent) -> None:
        self._content = content
        width, height = content.size
        self._panel = max(2, round(PANEL_HEIGHT * width / height)), PANEL_HEIGHT
        self._font = ImageFont.load_default(15)
        self._width = _even(2 * _MARGIN + 2 * self._panel[0] + _GAP)
        self._top = _MARGIN + _LINE
        self._bar = self._top + PANEL_HEIGHT + _LINE
        foot = THUMBNAIL + _LINE if content.anchors else 0
        self._height = _even(self._bar + _BAR + _GAP + foot + _MARGIN)
        self._page = self._background()

    def draw(self, index: int, guide: Frames, result: Frames) -> NDArray[np.uint8]:
        """The image of one frame.

        Args:
            index: of the frame.
            guide: `[1, H, W, 3]`, the input of the model.
            result: `[1, H, W, 3]`, the frame of the video.

        Returns:
            uint8 `[1, height, width, 3]`, with even sides.
        """
        page = self._page.copy()
        for left, pixels in zip(self._lefts(), (guide, result), strict=True):
            panel = as_uint8(fit(pixels, *self._panel, "stretch"))[0]
            page.paste(Image.fromarray(panel), (left, self._top))
        pen = ImageDraw.Draw(page)
        text = f"{index} / {self._content.total - 1}   {timestamp(index, self._content.fps)}"
        pen.text((self._width - _MARGIN, _MARGIN), text, font=self._font, fill=_TEXT, anchor="ra")
        x = self._x_of(index)
        pen.rectangle((x - 1, self._bar - 5, x + 1, self._bar + _BAR + 5), fill=_CURSOR)
        return np.asarray(page)[None]

    def _background(self) -> Image.Image:
        """The part that is the same in all images."""
        page = Image.new("RGB", (self._width, self._height), _BACKGROUND)
        pen = ImageDraw.Draw(page)
        for left, name in zip(self._lefts(), ("guide", "result"), strict=True):
            pen.text((left, _MARGIN), name, font=self._font, fill=_DIM)
        end = self._content.total - 1
        pen.rectangle((self._x_of(0), self._bar, self._x_of(end), self._bar + _BAR), fill=_KEPT)
        for number, (first, after) in enumerate(self._content.generated):
            edges = (self._x_of(first), self._bar, self._x_of(min(after, end)), self._bar + _BAR)
            pen.rectangle(edges, fill=_ALTERNATE if number % 2 else _GENERATED)
        for frame, image in self._content.anchors:
            self._draw_anchor(page, pen, frame, image)
        return page

    def _draw_anchor(self, page: Image.Image, pen: ImageDraw.ImageDraw, frame: int, image: Frames) -> None:
        """Draw a thumbnail of an anchor below its frame; the more anchors, the smaller."""
        room = (self._width - 2 * _MARGIN) // max(1, len(self._content.anchors)) - 4
        height = min(THUMBNAIL, max(8, round(room * self._content.size[1] / self._content.size[0])))
        width = max(8, round(height * self._content.size[0] / self._content.size[1]))
        x, top = self._x_of(frame), self._bar + _BAR + _GAP
        left = min(max(x - width // 2, _MARGIN), self._width - _MARGIN - width)
        small = as_uint8(fit(image, width, height, "stretch"))[0]
        page.paste(Image.fromarray(small), (left, top))
        pen.line((x, self._bar, x, top), fill=_TEXT)
        pen.text((left + width // 2, top + height + 3), str(frame), font=self._font, fill=_DIM, anchor="ma")

    def _lefts(self) -> tuple[int, int]:
        return _MARGIN, _MARGIN + self._panel[0] + _GAP

    def _x_of(self, frame: int) -> int:
        """The x coordinate of a frame on the bar."""
        span = self._width - 2 * _MARGIN - 1
        return _MARGIN + round(span * frame / max(1, self._content.total - 1))


def _even(length: int) -> int:
    return length + length % 2
