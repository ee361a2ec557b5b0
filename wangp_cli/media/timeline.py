"""Pictures of how a video came about: what the model was shown beside what it made, over a timeline."""

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
_KEPT, _MADE, _OTHER, _CURSOR = (88, 88, 96), (64, 116, 176), (46, 84, 128), (255, 196, 64)


@dataclass(frozen=True, kw_only=True, eq=False)
class TimelineContent:
    """What a timeline tells.

    Args:
        total: frames of the video.
        fps: of the video.
        size: of the video, width and height in pixels.
        made: first frame of each generated part, and the first behind it.
        anchors: given pictures, `[1, H, W, 3]`, and the frames they stand at.
    """

    total: int
    fps: Fraction
    size: tuple[int, int]
    made: Sequence[tuple[int, int]]
    anchors: Sequence[tuple[int, Frames]] = ()


class TimelineRenderer:
    """Draws the picture of each frame: guide and result side by side, anchors in their places, a cursor."""

    def __init__(self, story: TimelineContent) -> None:
        self._story = story
        width, height = story.size
        self._panel = max(2, round(PANEL_HEIGHT * width / height)), PANEL_HEIGHT
        self._font = ImageFont.load_default(15)
        self._width = _even(2 * _MARGIN + 2 * self._panel[0] + _GAP)
        self._top = _MARGIN + _LINE
        self._bar = self._top + PANEL_HEIGHT + _LINE
        foot = THUMBNAIL + _LINE if story.anchors else 0
        self._height = _even(self._bar + _BAR + _GAP + foot + _MARGIN)
        self._page = self._still()

    def frame(self, index: int, guide: Frames, result: Frames) -> NDArray[np.uint8]:
        """The picture of one frame.

        Args:
            index: of the frame.
            guide: `[1, H, W, 3]`, what the model was shown.
            result: `[1, H, W, 3]`, what is in the video.

        Returns:
            uint8 `[1, height, width, 3]`, with even sides.
        """
        page = self._page.copy()
        for left, pixels in zip(self._lefts(), (guide, result), strict=True):
            panel = as_uint8(fit(pixels, *self._panel, "stretch"))[0]
            page.paste(Image.fromarray(panel), (left, self._top))
        pen = ImageDraw.Draw(page)
        text = f"{index} / {self._story.total - 1}   {timestamp(index, self._story.fps)}"
        pen.text((self._width - _MARGIN, _MARGIN), text, font=self._font, fill=_TEXT, anchor="ra")
        x = self._place(index)
        pen.rectangle((x - 1, self._bar - 5, x + 1, self._bar + _BAR + 5), fill=_CURSOR)
        return np.asarray(page)[None]

    def _still(self) -> Image.Image:
        """What is the same in every picture."""
        page = Image.new("RGB", (self._width, self._height), _BACKGROUND)
        pen = ImageDraw.Draw(page)
        for left, name in zip(self._lefts(), ("guide", "result"), strict=True):
            pen.text((left, _MARGIN), name, font=self._font, fill=_DIM)
        end = self._story.total - 1
        pen.rectangle((self._place(0), self._bar, self._place(end), self._bar + _BAR), fill=_KEPT)
        for number, (first, behind) in enumerate(self._story.made):
            edges = (self._place(first), self._bar, self._place(min(behind, end)), self._bar + _BAR)
            pen.rectangle(edges, fill=_OTHER if number % 2 else _MADE)
        for frame, picture in self._story.anchors:
            self._anchor(page, pen, frame, picture)
        return page

    def _anchor(self, page: Image.Image, pen: ImageDraw.ImageDraw, frame: int, picture: Frames) -> None:
        """A small picture under its place, smaller where many stand close together."""
        room = (self._width - 2 * _MARGIN) // max(1, len(self._story.anchors)) - 4
        height = min(THUMBNAIL, max(8, round(room * self._story.size[1] / self._story.size[0])))
        width = max(8, round(height * self._story.size[0] / self._story.size[1]))
        x, top = self._place(frame), self._bar + _BAR + _GAP
        left = min(max(x - width // 2, _MARGIN), self._width - _MARGIN - width)
        small = as_uint8(fit(picture, width, height, "stretch"))[0]
        page.paste(Image.fromarray(small), (left, top))
        pen.line((x, self._bar, x, top), fill=_TEXT)
        pen.text((left + width // 2, top + height + 3), str(frame), font=self._font, fill=_DIM, anchor="ma")

    def _lefts(self) -> tuple[int, int]:
        return _MARGIN, _MARGIN + self._panel[0] + _GAP

    def _place(self, frame: int) -> int:
        """Where a frame is on the bar."""
        span = self._width - 2 * _MARGIN - 1
        return _MARGIN + round(span * frame / max(1, self._story.total - 1))


def _even(length: int) -> int:
    return length + length % 2
