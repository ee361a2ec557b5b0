"""Contact sheets: selected frames of a clip in one image."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wangp_cli.errors import RequestError
from wangp_cli.media.clip import Clip, Frames, as_uint8, to_rgb
from wangp_cli.media.resize import fit

_BACKGROUND = (24, 24, 26)
_TEXT = (214, 214, 218)
_DIM = (138, 138, 146)
_CHECKS = (58, 74)
_GAP = 6
_MARGIN = 14
_KNOWN = frozenset("\u00b7\u2026\u2018\u2019\u201c\u201d")


def evenly_spaced(total: int, count: int) -> list[int]:
    """Up to `count` evenly spaced indices of `total` frames, with the first and the last."""
    if total <= count:
        return list(range(total))
    if count == 1:
        return [total // 2]
    return [round(i * (total - 1) / (count - 1)) for i in range(count)]


def timestamp(frame: int, fps: Fraction) -> str:
    """The start time of a frame as minutes and seconds: `0:03.24`."""
    hundredths = round(Fraction(frame * 100) / fps)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


def frame_labels(indices: Sequence[int], fps: Fraction | None = None) -> list[str]:
    """Labels such as `12 · 0:00.50` for frame indices, or `12` without a rate."""
    return [str(index) if fps is None else f"{index} · {timestamp(index, fps)}" for index in indices]


def contact_sheet(
    source: Clip | Frames | Sequence[Clip | Frames],
    *,
    count: int = 12,
    columns: int = 4,
    width: int = 1280,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Frames:
    """An image of evenly spaced frames with their indices and times below.

    Args:
        source: a clip, or frames `[T, H, W, C]`; each of several sources fills one row of `columns` frames.
        count: number of frames of a single source.
        columns: frames in a row.
        width: of the image, in pixels.
        labels: one for each frame shown, or one for each of several sources.
        title: text above the frames.

    Returns:
        uint8 `[1, H, width, 3]`. Alpha is shown over a checkerboard.

    Raises:
        RequestError: no frames, too narrow, or a wrong number of labels.
    """
    rows = [_frames(item) for item in source] if isinstance(source, Sequence) else None
    if rows is not None:
        pieces = [_chosen(frames, fps, columns) for frames, fps in rows]
        if labels is not None:
            _expect(labels, len(rows))
            pieces = [
                (p, [f"{name}  {text}" for text in texts])
                for (p, texts), name in zip(pieces, labels, strict=True)
            ]
    else:
        frames, fps = _frames(source)  # type: ignore[arg-type]
        picked, texts = _chosen(frames, fps, count)
        if labels is not None:
            _expect(labels, len(picked))
            texts = list(labels)
        starts = range(0, len(picked), columns)
        pieces = [(picked[i : i + columns], texts[i : i + columns]) for i in starts]
    if not pieces or not all(len(frames) for frames, _ in pieces):
        raise RequestError("frames", "there are none to show")
    return _draw(pieces, columns, width, title)


def _draw(rows: list[tuple[Frames, list[str]]], columns: int, width: int, title: str | None) -> Frames:
    cell = (width - 2 * _MARGIN - (columns - 1) * _GAP) // columns
    if cell < 16:
        raise RequestError("width", f"{width} pixels are too narrow for {columns} columns")
    size = max(11, min(18, cell // 13))
    font, large = ImageFont.load_default(size), ImageFont.load_default(size + 4)
    heights = [max(1, round(cell * frames.shape[1] / frames.shape[2])) for frames, _ in rows]
    line = size + 10
    top = _MARGIN + (size + 18 if title else 0)
    total = top + sum(heights) + len(rows) * line + (len(rows) - 1) * _GAP + _MARGIN - 4
    page = Image.new("RGB", (width, total), _BACKGROUND)
    pen = ImageDraw.Draw(page)
    if title:
        pen.text(
            (_MARGIN, _MARGIN - 2), _clipped(pen, title, large, width - 2 * _MARGIN), font=large, fill=_TEXT
        )
    for (frames, texts), height in zip(rows, heights, strict=True):
        small = _over_checkerboard(as_uint8(fit(frames, cell, height, "stretch")))
        for column, (pixels, text) in enumerate(zip(small, texts, strict=True)):
            left = _MARGIN + column * (cell + _GAP)
            page.paste(Image.fromarray(np.ascontiguousarray(pixels)), (left, top))
            head, _, tail = _clipped(pen, text, font, cell).partition(" · ")
            pen.text((left, top + height + 3), head, font=font, fill=_TEXT)
            if tail:
                ahead = pen.textlength(head + "  ", font=font)
                pen.text((left + ahead, top + height + 3), tail, font=font, fill=_DIM)
        top += height + line + _GAP
    return np.asarray(page)[None]


def _frames(item: Clip | Frames) -> tuple[Frames, Fraction | None]:
    return (item.frames, item.fps) if isinstance(item, Clip) else (item, None)


def _chosen(frames: Frames, fps: Fraction | None, count: int) -> tuple[Frames, list[str]]:
    indices = evenly_spaced(len(frames), count)
    return frames[indices], frame_labels(indices, fps)


def _expect(labels: Sequence[str], count: int) -> None:
    if len(labels) != count:
        raise RequestError("labels", f"{len(labels)}, wanted {count}")


def _over_checkerboard(frames: Frames) -> Frames:
    if frames.shape[3] != 4:
        return to_rgb(frames)
    rows, columns = np.indices(frames.shape[1:3]) // 8
    board = np.where((rows + columns) % 2, *map(np.float32, _CHECKS))[None, :, :, None]
    alpha = frames[..., 3:].astype(np.float32) / 255
    return (frames[..., :3] * alpha + board * (1 - alpha) + 0.5).astype(np.uint8)


def _clipped(
    pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: int
) -> str:
    text = "".join(_drawable(c) for c in text)
    if pen.textlength(text, font=font) <= room:
        return text
    while text and pen.textlength(text + "…", font=font) > room:
        text = text[:-1]
    return text + "…"


def _drawable(character: str) -> str:
    """The nearest character in Pillow's default font, which draws boxes for most beyond ASCII."""
    if character in _KNOWN:
        return character
    if unicodedata.category(character) == "Pd":
        return "-"
    base = unicodedata.normalize("NFKD", character)[0]
    return base if " " <= base <= "~" else ("?" if character.isprintable() else " ")
