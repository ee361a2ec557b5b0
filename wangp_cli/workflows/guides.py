"""Conditioning of a planned segment: known frames, and a mask over those that the model generates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.media.clip import Clip, Frames, as_float, to_rgb
from wangp_cli.media.match import adjust
from wangp_cli.media.resize import fit
from wangp_cli.pipelines.base import Inputs
from wangp_cli.plan.model import Segment
from wangp_cli.tasks.adjustments import UNADJUSTED, ControlAdjustments, Curve, Fade

GREY = 0.5
"""The value of unknown pixels in a control video."""
KEEP, PAINT = 0.0, 1.0
"""Values of a mask: keep the pixel of the control video, or generate it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownFrames:
    """Known frames in and around a segment: RGB, any dtype of `Frames`, all of one size.

    Args:
        pictures: every given image, `[1, H, W, 3]` each; the images of a plan are indices into it.
        context: `[segment.context, H, W, 3]`, the last frames of the output so far.
        after: `[segment.context_after, H, W, 3]`, the first frames that follow.
        motion: `[segment.generate, H, W, 3]`, the control video under unknown frames; 0.5 outside of it.
    """

    pictures: Sequence[Frames] = ()
    context: Frames | None = None
    after: Frames | None = None
    motion: Frames | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Guide:
    """Control video and mask, as VACE takes them.

    Args:
        control: float32 `[segment.generate, H, W, 3]` in [0, 1]; 0.5 is unknown.
        mask: float32 `[segment.generate, H, W, 1]`; 0 keeps a pixel, 1 generates it.
    """

    control: NDArray[np.float32]
    mask: NDArray[np.float32]

    def inputs(self, fps: Fraction) -> Inputs:
        """The inputs of a pipeline."""
        return Inputs(control=Clip(frames=self.control, fps=fps), mask=Clip(frames=self.mask, fps=fps))


def fit_image(picture: Frames, width: int, height: int, how: Literal["crop", "pad"] = "crop") -> Frames:
    """An image at the size of a video, never stretched: float32 `[1, height, width, 3]`.

    Args:
        picture: `[1, H, W, C]`, any dtype of `Frames`; transparent pixels become black.
        width: in pixels.
        height: in pixels.
        how: `crop` the longer side, or `pad` with black bars.
    """
    return fit(to_rgb(as_float(picture)), width, height, how)


def build_guide(
    segment: Segment, known: KnownFrames, size: tuple[int, int], adjustments: ControlAdjustments = UNADJUSTED
) -> Guide:
    """Build control video and mask of a segment.

    Layers from bottom to top: grey; the control video; fades; context, images and bridging frames. The mask
    keeps only those of the top layer: the model generates all other pixels, guided by the layers below. The
    last known frame is held where only unused frames follow it.

    Args:
        segment: of a plan.
        known: at `size`.
        size: width and height in pixels.
        adjustments: of known frames.

    Raises:
        RequestError: an image or frames of context are missing, or more than planned.
    """
    placed = dict(_place_known_frames(segment, known, adjustments))
    shape = (segment.generate, size[1], size[0])
    control = np.full((*shape, 3), GREY, np.float32)
    mask = np.full((*shape, 1), PAINT, np.float32)
    if known.motion is not None:
        control[:] = as_float(known.motion)
    for place, frame, weight in _fades(segment, placed, adjustments):
        control[place] += (frame - control[place]) * np.float32(weight)
    if placed and (last := max(placed)) >= segment.new_end - 1:
        # A latent frame holds several frames: grey ones behind the last known one would be mixed into it.
        placed |= dict.fromkeys(range(last, segment.generate), placed[last])
    for place, frame in placed.items():
        control[place] = frame
        mask[place] = KEEP
    return Guide(control=control, mask=mask)


def image_to_video_inputs(segment: Segment, known: KnownFrames, fps: Fraction, grid: Grid) -> Inputs:
    """Inputs of an image-to-video model: frames to begin with and frames to end with.

    Args:
        segment: of a plan.
        known: images and context.
        fps: of the video.
        grid: of the model; several frames to begin with must be 1, 5, 9, ... for a step of 4.

    Raises:
        RequestError: the plan places frames elsewhere than at both ends.
    """
    placed = dict(_place_known_frames(segment, known, UNADJUSTED))
    front = next((place for place in range(segment.generate) if place not in placed), segment.generate)
    back = next((place for place in range(segment.generate) if segment.generate - 1 - place not in placed), 0)
    if front + back < len(placed):
        raise RequestError("model", "takes frames at both ends alone, but the plan has some between them")
    if segment.context and front != grid.context(front):
        raise RequestError(
            "overlap",
            f"{front} frames to begin with, but this model takes 1, {grid.step + 1}, ...",
            hint="make the segments independent",
        )
    start = [placed[place] for place in range(front)]
    end = [placed[place] for place in range(segment.generate - back, segment.generate)]
    return Inputs(
        start=Clip(frames=np.stack(start), fps=fps) if start else None,
        end=Clip(frames=np.stack(end), fps=fps) if end else None,
    )


def svi_inputs(segment: Segment, known: KnownFrames, fps: Fraction) -> Inputs:
    """Inputs of an image-to-video model with an SVI LoRA.

    Args:
        segment: of a plan, with an anchor.
        known: images and context.
        fps: of the video.
    """
    assert segment.anchor is not None
    context = _check_count("context", known.context, segment.context)
    anchor = context[-1:] if segment.anchor < 0 else known.pictures[segment.anchor]
    closing = next((picture for picture in segment.pictures if picture.at >= max(segment.lead, 1)), None)
    end = None
    if closing is not None:
        # Repeated to the end, where frames are trimmed: a latent frame holds one image.
        still = np.repeat(known.pictures[closing.image], segment.generate - closing.at, axis=0)
        end = Clip(frames=still, fps=fps)
    return Inputs(
        anchor=Clip(frames=anchor, fps=fps),
        motion=Clip(frames=context, fps=fps) if len(context) else None,
        end=end,
    )


def ease(curve: Curve, time: float) -> float:
    """The value of an easing curve, 0 to 1, at a time from 0 to 1."""
    return _CURVES[curve](time)


_CURVES: Final[dict[Curve, Callable[[float], float]]] = {
    "linear": lambda t: t,
    "ease_in_quad": lambda t: t**2,
    "ease_out_quad": lambda t: 1 - (1 - t) ** 2,
    "ease_in_out": lambda t: 2 * t**2 if t < 0.5 else 1 - 2 * (1 - t) ** 2,
    "ease_in_cubic": lambda t: t**3,
    "ease_in_out_cubic": lambda t: 4 * t**3 if t < 0.5 else 1 - 4 * (1 - t) ** 3,
    "sine": lambda t: (1 - math.cos(math.pi * t)) / 2,
    "expo_in": lambda t: 2 ** (10 * (t - 1)) if t > 0 else 0.0,
}

PlacedFrame = tuple[int, NDArray[np.float32]]
"""The index of a frame of the segment, and its known pixels, float32 `[H, W, 3]`."""


def _place_known_frames(
    segment: Segment, known: KnownFrames, adjustments: ControlAdjustments
) -> Iterator[PlacedFrame]:
    """Every known frame; images come last, as they replace context."""
    context = _check_count("context", known.context, segment.context)
    after = _check_count("context", known.after, segment.context_after)
    adjusted = _adjust_context(context, adjustments)
    # Context is the end of the output so far, so it is placed directly before the new frames.
    yield from ((segment.lead - len(adjusted) + i, frame) for i, frame in enumerate(adjusted))
    yield from ((segment.new_end + i, frame) for i, frame in enumerate(_adjust_context(after, adjustments)))
    if segment.bridging:
        yield segment.bridging[0], as_float(context[-1])
        yield segment.bridging[1], as_float(after[0])
    for picture in segment.pictures:
        if picture.image >= len(known.pictures):
            raise RequestError("images", f"{len(known.pictures)} given, the plan has number {picture.image}")
        yield picture.at, as_float(known.pictures[picture.image])[0]


def _check_count(field: str, frames: Frames | None, count: int) -> Frames:
    have = 0 if frames is None else len(frames)
    if have != count:
        raise RequestError(field, f"{have} frames, the plan has {count}")
    return np.empty((0, 1, 1, 3), np.float32) if frames is None else frames


def _adjust_context(frames: Frames, adjustments: ControlAdjustments) -> NDArray[np.float32]:
    values = as_float(frames)
    if adjustments.strength != 1:
        values = GREY + (values - np.float32(GREY)) * np.float32(min(max(adjustments.strength, 0), 1))
    return as_float(adjust(values, saturation=adjustments.saturation, brightness=adjustments.brightness))


def _fades(
    segment: Segment, placed: dict[int, NDArray[np.float32]], adjustments: ControlAdjustments
) -> Iterator[tuple[int, NDArray[np.float32], float]]:
    """Unknown frames after the first and before the last image, with the weight of the image in each."""
    places = sorted(picture.at for picture in segment.pictures)
    if places and places[0] == 0:
        run = _unknown_run(placed, 1, 1, segment.generate)
        yield from _fade_weights(run, placed[0], adjustments.fade_out, nearest=1)
    if places and places[-1] > 0:
        run = _unknown_run(placed, places[-1] - 1, -1, segment.generate)
        yield from _fade_weights(run, placed[places[-1]], adjustments.fade_in, nearest=0)


def _unknown_run(placed: dict[int, NDArray[np.float32]], first: int, step: int, end: int) -> list[int]:
    """Frames from `first` on, in steps, up to the next known frame."""
    run = []
    while 0 <= first < end and first not in placed:
        run.append(first)
        first += step
    return run


def _fade_weights(
    run: list[int], frame: NDArray[np.float32], fade: Fade, *, nearest: int
) -> Iterator[tuple[int, NDArray[np.float32], float]]:
    """Weights of an image in a run of frames, nearest first; `nearest` is 1 if the first is faded by a
    step."""
    count = int(len(run) * fade.share)
    for index, place in enumerate(run[:count]):
        progress = ease(fade.curve, 1 - (index + nearest) / count)
        yield place, frame, fade.low + (fade.high - fade.low) * progress
