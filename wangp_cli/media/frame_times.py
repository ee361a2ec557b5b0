"""Frames at a constant rate, from the time stamps of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from wangp_cli.errors import MediaError

_RATES = [Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120)]
_COARSEST_ROUNDING = Fraction(1, 100)
"""Seconds: a container with a longer tick than GIF counts frames, so its stamps are not rounded times."""
_GAP = 1.75
"""Usual steps from which on a longer one is a gap."""
_JITTER = 0.3
"""Share of a step by which others may differ and still be the same: soft telecine has 0.8 and 1.2."""
_NEARLY_ALL = 0.9
_SHORTEST_STEP, _LONGEST_STEP = 1 / 250, 900
"""Seconds from one picture to the next at the usual rate."""
_MOST_FRAMES = 10_000_000

Steps = NDArray[np.float64]
"""Ticks from each time stamp to the next."""


@dataclass(frozen=True, kw_only=True)
class FrameTimes:
    """The frames of a video at a constant rate: frame `n` is shown at `n / fps` seconds.

    Args:
        fps: frames per second, exact.
        pictures: for each frame the number of a decoded picture, in display order; never decreasing.
        start: time stamp of the first picture, in seconds.
        stored: decoded pictures of the file.
    """

    fps: Fraction
    pictures: Sequence[int]
    start: Fraction
    stored: int

    @property
    def notice(self) -> str | None:
        """What was changed to get a constant rate; None if every picture is one frame."""
        dropped = self.stored - len(set(self.pictures))
        repeated = len(self.pictures) - (self.stored - dropped)
        if not dropped and not repeated:
            return None
        return (
            f"variable frame rate, is read at {self.fps} fps: {len(self.pictures)} frames of {self.stored} "
            f"pictures, {repeated} repeated and {dropped} dropped"
        )


def snap_rate(rate: Fraction) -> Fraction:
    """The standard rate nearest to one that was rounded: MKV and WebM store times in milliseconds."""
    for known in [Fraction(round(rate)), *_RATES]:
        if known and abs(rate - known) < Fraction(1, 10_000):
            return known
    return rate


def constant_times(
    stamps: Sequence[int], tick: Fraction, declared: Sequence[Fraction], last: int | None = None
) -> FrameTimes:
    """Frames at a constant rate for pictures with time stamps.

    The rate is that of the usual step between stamps. Where nearly all steps agree with it, jitter and
    rounding are left aside; else pictures are repeated and dropped by their stamps, each at most one frame
    away from its time. A long last picture is repeated, too.

    Args:
        stamps: of pictures in display order, in ticks; at least one.
        tick: seconds.
        declared: frame rates that the file claims, likeliest first; of rates that fit they come first.
        last: ticks for which the last picture is shown, if the file says so.

    Raises:
        MediaError: one picture without a rate, or stamps so far apart that no rate fits.
    """
    start = stamps[0] * tick
    if len(stamps) == 1:
        fps = next(iter(declared), None) or (1 / (last * tick) if last else None)
        if fps is None:
            raise MediaError("the video has no frame rate")
        return FrameTimes(fps=fps, pictures=(0,) * _shown(last, tick, fps), start=start, stored=1)
    times = np.asarray(stamps, np.float64) - stamps[0]
    steps = np.diff(times)
    if not steps.any():
        raise MediaError("all pictures have one time stamp")
    rounding = 1.0 if tick <= _COARSEST_ROUNDING else 0.0
    fps, numbers = _at_usual_step(times, steps, rounding, tick, declared)
    end = max(number for number in numbers if number is not None) + _shown(last, tick, fps)
    if end > _MOST_FRAMES:
        raise MediaError(f"the time stamps span {float(times[-1] * float(tick)):.0f} seconds")
    return FrameTimes(fps=fps, pictures=_pictures(numbers, end), start=start, stored=len(stamps))


def _at_usual_step(
    times: Steps, steps: Steps, rounding: float, tick: Fraction, declared: Sequence[Fraction]
) -> tuple[Fraction, Sequence[int | None]]:
    """The rate of the usual step, and the frame of each picture; None for a picture to drop."""
    # Pictures that follow each other faster than any screen shows them do not make the rate.
    slow = steps[steps * float(tick) > _SHORTEST_STEP]
    shown = slow if len(slow) else steps[steps > 0]
    frequent = _frequent_step(shown, rounding)
    if (seconds := frequent * float(tick)) > _LONGEST_STEP:
        raise MediaError(f"the pictures of the video are {seconds:.0f} seconds apart")
    for step in (_mean_step(shown, rounding), frequent):
        places = _places(steps, step, rounding)
        if places is not None:
            fps = _fitting_rate(times, places, tick, declared)
            # A change of rate on the way would move the pictures between them further and further.
            if np.abs(times * float(tick * fps) - places).max() < 1:
                return fps, places.astype(int).tolist()
    fps = _nearest_rate(frequent, tick, declared)
    return fps, _numbers(times * float(tick * fps))


def _shown(last: int | None, tick: Fraction, fps: Fraction) -> int:
    """Frames for which the last picture is shown."""
    frames = (last or 0) * tick * fps
    return round(frames) if frames > _GAP else 1


def _mean_step(steps: Steps, rounding: float) -> float:
    """The mean of all steps but gaps."""
    return float(steps[steps <= _GAP * np.median(steps) + rounding].mean())


def _frequent_step(steps: Steps, rounding: float) -> float:
    """The mean of the largest group of about equal steps; of two groups of the shorter ones."""
    ordered = np.sort(steps)
    values = np.unique(ordered)
    slack = np.maximum(0.1 * values, rounding)
    sizes = np.searchsorted(ordered, values + slack, "right") - np.searchsorted(ordered, values - slack)
    best = int(np.argmax(sizes))
    return float(ordered[np.abs(ordered - values[best]) <= slack[best]].mean())


def _places(steps: Steps, step: float, rounding: float) -> Steps | None:
    """The frame of each picture if nearly all steps agree with one, or are gaps of several; else None."""
    counts = np.maximum(np.round(steps / step), 1)
    agree = np.abs(steps - counts * step) <= max(_JITTER * step, rounding)
    if agree.mean() < _NEARLY_ALL or (counts == 1).mean() < 1 / 2:
        return None
    return np.concatenate([[0.0], np.cumsum(counts)])


def _fitting_rate(times: Steps, places: Steps, tick: Fraction, declared: Sequence[Fraction]) -> Fraction:
    """The rate of frames with these places and times: a standard one if it explains all but rounding."""
    measured = Fraction(int(places[-1])) / (Fraction(int(times[-1])) * tick)
    spread = _spread(times, places, measured, tick)
    standard = _standard_rates(measured)
    claimed = [rate for rate in declared if rate in standard]
    # The likeliest claim may be any rate that fits exactly; others are guesses.
    for rate in [*declared[:1], *claimed, *standard, measured.limit_denominator(1001)]:
        step = 1 / (rate * tick)
        # Times rounded to ticks never differ from each other by more than this.
        if _spread(times, places, rate, tick) < 1 - 1 / step.denominator + 1e-3:
            return rate
    for rate in [*claimed, *standard]:
        if _spread(times, places, rate, tick) <= 1.25 * spread + 1:
            return rate
    return measured.limit_denominator(1001)


def _spread(times: Steps, places: Steps, rate: Fraction, tick: Fraction) -> float:
    """Ticks between the earliest and the latest frame, both against their places at a rate."""
    return float(np.ptp(times - places * float(1 / (rate * tick))))


def _nearest_rate(step: float, tick: Fraction, declared: Sequence[Fraction]) -> Fraction:
    """The declared or standard rate near a step, else that of the step."""
    rate = 1 / (Fraction(step) * tick)
    near = [
        known for known in [*declared, *_standard_rates(rate)] if abs(known / rate - 1) < Fraction(1, 200)
    ]
    return near[0] if near else rate.limit_denominator(1000)


def _standard_rates(rate: Fraction) -> list[Fraction]:
    """Whole, half and NTSC rates, the nearest first."""
    rates = {Fraction(round(rate)), Fraction(round(rate * 2), 2), *_RATES} - {Fraction(0)}
    return sorted(rates, key=lambda known: abs(known - rate))


def _numbers(exact: Steps) -> list[int | None]:
    """The frame of each picture, given its exact place; None for a picture that has to be dropped."""
    numbers: list[int | None] = []
    latest = -1
    for place in exact.tolist():
        number = max(int(place + 0.5), latest + 1)
        if number - place < 1:
            latest = number
            numbers.append(number)
        else:
            numbers.append(None)
    return numbers


def _pictures(numbers: Sequence[int | None], end: int) -> Sequence[int]:
    """The picture of each frame: the latest that has begun."""
    if end == len(numbers) and None not in numbers:
        return range(end)
    pictures = np.zeros(end, np.int64)
    for picture, number in enumerate(numbers):
        if number is not None:
            pictures[number] = picture
    return tuple(np.maximum.accumulate(pictures).tolist())
