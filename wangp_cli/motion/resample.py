"""Frames of a video at another rate: copies where a frame stands, frames in between elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from wangp_cli.media.clip import Frames, as_type, single_frames, to_rgb
from wangp_cli.motion.interpolator import Interpolator
from wangp_cli.motion.scene_cuts import CUT, DUPLICATE, similarity

LONGEST_RUN = 4
"""Duplicates after each other that are replaced; a longer run is a picture that stands still on purpose."""


def resample(
    pieces: Iterable[Frames], step: Fraction, interpolator: Interpolator, *, hold_cuts: bool = True
) -> Iterator[Frames]:
    """The frames at the places 0, `step`, 2 `step` and so on, up to the last frame.

    Args:
        pieces: RGB or RGBA `[t, H, W, C]` each, any dtype of `Frames`; two frames are in memory at a time.
        step: in frames, above 0: 1 / N makes N - 1 frames between two.
        interpolator: makes the frames whose place is not whole; at a whole place the frame itself is given.
        hold_cuts: before a cut the last frame of the scene is repeated instead.

    Yields:
        `[1, H, W, C]`, same dtype.
    """
    frames = single_frames(pieces)
    first = next(frames, None)
    if first is None:
        return
    place = Fraction(0)
    for second in frames:
        times = []
        while place < 1:
            times.append(place)
            place += step
        place -= 1
        yield from _between(first, second, times, interpolator, hold_cuts=hold_cuts)
        first = second
    if place == 0:
        yield first


def replace_duplicates(pieces: Iterable[Frames], interpolator: Interpolator) -> Iterator[Frames]:
    """The frames, of which those that repeat the one before are replaced by frames in between.

    The last frame, duplicates before a cut and runs of more than `LONGEST_RUN` of them stay as they are.

    Args:
        pieces: RGB or RGBA `[t, H, W, C]` each, any dtype of `Frames`.
        interpolator: makes the frames.

    Yields:
        `[1, H, W, C]`, same dtype, as many as there are.
    """
    anchor: Frames | None = None
    run: list[Frames] = []
    stands_still = False
    for frame in single_frames(pieces):
        if anchor is not None and similarity(anchor, frame) > DUPLICATE:
            run.append(frame)
            if stands_still or len(run) > LONGEST_RUN:
                stands_still = True
                yield from run
                run = []
            continue
        if anchor is not None and run:
            times = [Fraction(number, len(run) + 1) for number in range(1, len(run) + 1)]
            is_cut = similarity(anchor, frame) < CUT
            yield from run if is_cut else _made(anchor, frame, times, interpolator)
        yield frame
        anchor, run, stands_still = frame, [], False
    yield from run


def _between(
    first: Frames, second: Frames, times: Sequence[Fraction], interpolator: Interpolator, *, hold_cuts: bool
) -> Iterator[Frames]:
    """The frames at times from 0 to before 1; at 0 the first frame itself."""
    if times and times[0] == 0:
        yield first
        times = times[1:]
    if times and hold_cuts and similarity(first, second) < CUT:
        yield from (first for _ in times)
    elif times:
        yield from _made(first, second, times, interpolator)


def _made(
    first: Frames, second: Frames, times: Sequence[Fraction], interpolator: Interpolator
) -> Iterator[Frames]:
    places = [float(time) for time in times]
    colours = interpolator.between(first[..., :3], second[..., :3], places)
    if first.shape[3] == 3:
        yield from (as_type(frame, first.dtype) for frame in colours)
        return
    alphas = interpolator.between(to_rgb(first[..., 3:]), to_rgb(second[..., 3:]), places)
    for frame, alpha in zip(colours, alphas, strict=True):
        yield as_type(np.concatenate([frame, alpha[..., :1]], axis=3), first.dtype)
