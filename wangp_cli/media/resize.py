"""Resizing frames to a canvas or a pixel budget, and clips to a number of frames."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wangp_cli.errors import RequestError
from wangp_cli.media.clip import Frames, as_float, as_type

FitMode = Literal["crop", "pad", "stretch"]
LengthMode = Literal["cut", "loop", "hold"]


def fit(frames: Frames, width: int, height: int, how: FitMode = "crop", *, fill: float = 0.0) -> Frames:
    """Frames resized by a Lanczos filter, antialiased when they shrink.

    Args:
        frames: `[T, H, W, C]`, any dtype of `Frames`; colour of RGBA is weighted by alpha.
        width: in pixels.
        height: in pixels.
        how: `crop` fills the canvas and crops both sides equally; `pad` shows the whole frame with bars;
            `stretch` changes the aspect ratio.
        fill: value of the bars, 0 black to 1 white; bars of RGBA are transparent.

    Returns:
        `[T, height, width, C]`, same dtype. The given array if it has that size already.

    Raises:
        RequestError: width or height is less than 1.
    """
    if frames.shape[1:3] == (height, width):
        return frames
    box, inner = _crop_box_and_size(frames, width, height, how)
    # No loss for 8 bits: Pillow filters RGB with 8 fractional bits and rounds once.
    is_uint8_rgb = frames.dtype == np.uint8 and frames.shape[3] == 3
    scaled = np.stack(
        [
            _resize_uint8(frame, inner, box) if is_uint8_rgb else _resize_float(frame, inner, box)
            for frame in frames
        ]
    )
    return _on_canvas(as_type(scaled, frames.dtype), width, height, fill)


def fit_mask(mask: Frames, width: int, height: int, how: FitMode = "crop", *, fill: float = 0.0) -> Frames:
    """A mask resized bilinearly, without overshoot, to the same geometry as `fit`; binary masks stay binary.

    Args:
        mask: `[T, H, W, 1]`, any dtype of `Frames`.
        width: in pixels.
        height: in pixels.
        how: as in `fit`.
        fill: value of the bars, 0 to 1.

    Returns:
        `[T, height, width, 1]`, same dtype.
    """
    if mask.shape[1:3] == (height, width):
        return mask
    box, inner = _crop_box_and_size(mask, width, height, how)
    values = as_float(mask)
    scaled = np.stack(
        [_resize_channel(frame[:, :, 0], inner, box, Image.Resampling.BILINEAR) for frame in values]
    )
    if np.isin(values, (0.0, 1.0)).all():
        scaled = (scaled >= 0.5).astype(np.float32)
    return _on_canvas(as_type(scaled[..., None].clip(0, 1), mask.dtype), width, height, fill)


def budget_size(
    source_width: int, source_height: int, budget_width: int, budget_height: int, block: int
) -> tuple[int, int]:
    """Width and height with the aspect ratio of the source and the area of the budget.

    Args:
        source_width: in pixels.
        source_height: in pixels.
        budget_width: in pixels, of the canvas with the area to reach.
        budget_height: in pixels.
        block: width and height are multiples of it, at least one block.

    Source: WanGP's `calculate_new_dimensions`, fit_canvas 0: scale by sqrt(HW / hw), round to blocks.
    """
    scale = math.sqrt(budget_width * budget_height / (source_width * source_height))
    return tuple(max(round(side * scale / block), 1) * block for side in (source_width, source_height))  # type: ignore[return-value]


def match_length(frames: Frames, count: int, how: LengthMode = "cut") -> Frames:
    """Frames cut or extended to exactly `count`.

    Args:
        frames: `[T, ...]`; more than `count` are cut at the end.
        count: at least 1.
        how: with too few frames, `loop` starts again, `hold` repeats the last, `cut` is an error.

    Raises:
        RequestError: too few for `cut`, or none.
    """
    given = len(frames)
    if count < 1 or given < 1:
        raise RequestError("frames", f"{given} frames cannot become {count}")
    if given >= count:
        return frames[:count]
    if how == "cut":
        raise RequestError("frames", f"{given} frames, wanted {count}", hint="loop them, or hold the last")
    indices = np.arange(count) % given if how == "loop" else np.minimum(np.arange(count), given - 1)
    return frames[indices]


Box = tuple[float, float, float, float]


def _crop_box_and_size(frames: Frames, width: int, height: int, how: FitMode) -> tuple[Box, tuple[int, int]]:
    """The box of the source to use, and the size to resize it to."""
    if width < 1 or height < 1:
        raise RequestError("size", f"{width}x{height}, must be 1x1 or more")
    have_height, have_width = frames.shape[1:3]
    whole = (0.0, 0.0, float(have_width), float(have_height))
    if how == "stretch":
        return whole, (width, height)
    if how == "pad":
        scale = min(width / have_width, height / have_height)
        inner = (max(round(have_width * scale), 1), max(round(have_height * scale), 1))
        return whole, (min(inner[0], width), min(inner[1], height))
    scale = max(width / have_width, height / have_height)
    wide, high = min(width / scale, have_width), min(height / scale, have_height)
    left, top = (have_width - wide) / 2, (have_height - high) / 2
    return (left, top, left + wide, top + high), (width, height)


def _resize_uint8(frame: Frames, size: tuple[int, int], box: Box) -> Frames:
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS, box=box))


def _resize_float(frame: Frames, size: tuple[int, int], box: Box) -> NDArray[np.float32]:
    values = as_float(frame)
    alpha = values[:, :, 3:] if values.shape[2] == 4 else None
    if alpha is not None:
        values = np.concatenate([values[:, :, :3] * alpha, alpha], axis=2)
    channels = [
        _resize_channel(values[:, :, i], size, box, Image.Resampling.LANCZOS) for i in range(values.shape[2])
    ]
    scaled = np.stack(channels, axis=2)
    if alpha is not None:
        scaled[:, :, :3] /= np.maximum(scaled[:, :, 3:], np.float32(1e-6))
    return scaled.clip(0, 1)


def _resize_channel(
    plane: NDArray[np.float32], size: tuple[int, int], box: Box, filter_: Image.Resampling
) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, filter_, box=box))


def _on_canvas(frames: Frames, width: int, height: int, fill: float) -> Frames:
    if frames.shape[1:3] == (height, width):
        return frames
    channels = frames.shape[3]
    bar = np.full((1, 1, 1, channels), fill, np.float32)
    if channels == 4:
        bar[..., 3] = 0
    canvas = np.empty((len(frames), height, width, channels), frames.dtype)
    canvas[:] = as_type(bar, frames.dtype)
    top, left = (height - frames.shape[1]) // 2, (width - frames.shape[2]) // 2
    canvas[:, top : top + frames.shape[1], left : left + frames.shape[2]] = frames
    return canvas
