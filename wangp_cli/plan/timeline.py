"""Which frame of a control video belongs to which frame of the output."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from wangp_cli.errors import RequestError
from wangp_cli.models import Entry

Ending = Literal["hold", "loop", "off"]
Timing = Literal["fit", "trim", "loop", "off"]
"""All of a video spread over its place; or its own speed, and where it is short its last frame held, or the
video again; `off` refuses another length."""


class GuideRange(Entry):
    """A control video on the output: frames `start` to before `end`, all of it without an `end`."""

    start: int = 0
    end: int | None = None


class GuideSpan(Entry):
    """Frames of the output that a control video guides.

    Args:
        video: counts the control videos from 0.
        start: first output frame.
        end: the one behind the last.
        first: frame of the video to begin with, counted at the rate of the output.
        last: the last one to use; None is its end.
        timing: which frame goes where.
    """

    video: int
    start: int
    end: int
    first: int = 0
    last: int | None = None
    timing: Timing = "fit"

    def frame_indices(self, have: int, rate: Fraction, fps: Fraction) -> list[int]:
        """The frame of the video for each of the output.

        Args:
            have: frames of the video.
            rate: its frames per second.
            fps: frames per second of the output.
        """
        first = min(int(-(-self.first * rate // fps)), have - 1)
        end = have if self.last is None else min(int(-(-(self.last + 1) * rate // fps)), have)
        used, count = max(end - first, 1), self.end - self.start
        if self.timing == "fit":
            return [first + number for number in stretch_frame_indices(used, count)]
        ending: Ending = "loop" if self.timing == "loop" else "hold"
        return [first + number for number in resample_frame_indices(used, rate, count, fps, ending)]


def stretch_frame_indices(have: int, count: int) -> list[int]:
    """`count` frames spread over a video of `have`, from its first to its last: their numbers.

    Raises:
        RequestError: the video has no frames.
    """
    _check(have, count)
    return [index * (have - 1) // max(count - 1, 1) for index in range(count)]


def resample_frame_indices(
    have: int, rate: Fraction, count: int, fps: Fraction, ending: Ending = "loop"
) -> list[int]:
    """`count` frames of a video at its own speed: the numbers of the first frames at or after each time.

    Args:
        have: frames of the video.
        rate: its frames per second.
        count: frames wanted; more of the video are left out.
        fps: frames per second wanted.
        ending: what follows where the video is short: its last frame held, the video again, or an error.

    Raises:
        RequestError: the video has no frames, or too few for `off`.
    """
    _check(have, count)
    times = [-(-index * rate // fps) for index in range(count)]
    reached = [int(time) for time in times if time < have]
    if len(reached) == count:
        return reached
    if ending == "off":
        raise RequestError(
            "video_guide", f"reaches {len(reached)} of {count} frames", hint="loop it, or hold its last frame"
        )
    if ending == "loop":
        return [reached[index % len(reached)] for index in range(count)]
    return reached + [have - 1] * (count - len(reached))


def frame_count_at_fps(have: int, rate: Fraction, fps: Fraction) -> int:
    """How many frames a video of `have` at `rate` gives at `fps` without a change of speed."""
    return int((have - 1) * fps // rate) + 1 if have else 0


def resolve_guide_spans(total: int, videos: Sequence[GuideRange]) -> list[tuple[int, int]]:
    """First frame and end of each control video on an output of `total` frames, in the order given.

    What reaches over the end is cut, what begins behind it is empty.

    Raises:
        RequestError: two overlap, or one is empty or begins before the output.
    """
    found = []
    for index, video in enumerate(videos):
        end = total if video.end is None else video.end
        if video.start < 0 or (video.end is not None and video.start >= video.end):
            raise RequestError("video_guide", f"number {index} is on frames {video.start} to {end}")
        found.append((min(video.start, total), min(end, total)))
    ordered = sorted((span, index) for index, span in enumerate(found) if span[0] < span[1])
    for (one, left), (other, right) in itertools.pairwise(ordered):
        if other[0] < one[1]:
            raise RequestError("video_guide", f"numbers {left} and {right} overlap on frame {other[0]}")
    return found


def _check(have: int, count: int) -> None:
    if have < 1:
        raise RequestError("video_guide", "has no frames")
    if count < 0:
        raise RequestError("frames", f"{count}, must be 0 or more")
