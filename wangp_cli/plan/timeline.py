"""Frame indices of videos at other rates and lengths, and control videos on the timeline of the output."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from wangp_cli.errors import RequestError
from wangp_cli.traits import Entry

Ending = Literal["hold", "loop", "off"]
Timing = Literal["fit", "trim", "loop", "off"]
"""`fit` stretches all of a video over its range. The others keep its speed: if it is too short, `trim`
repeats its last frame, `loop` repeats the video, `off` is an error."""


SAME_RATE = Fraction(1, 100)
"""Share by which rates may differ and still be one that was rounded."""


class ClipLength(NamedTuple):
    """Frames of a file, and frames per second of a video."""

    frames: int
    fps: Fraction | None

    def beside(self, *others: ClipLength) -> ClipLength:
        """The first of others that has as many frames, with which these pair by number; else itself."""
        return next((other for other in others if other.frames == self.frames), self)

    def at(self, fps: Fraction) -> int:
        """Frames at another rate without a change of speed."""
        return frame_count_at_fps(self.frames, self.fps, fps) if self.fps else self.frames

    def indices(self, count: int, fps: Fraction) -> list[int]:
        """The frame of the file for each of `count` at another rate; the last one behind its end."""
        return resample_frame_indices(self.frames, self.fps or fps, count, fps, "hold")


class GuideRange(Entry):
    """The requested range of a control video: output frames `start` to before `end`, None for the last."""

    start: int = 0
    end: int | None = None


class GuideSpan(Entry):
    """The frames of the output that one control video guides.

    Args:
        video: counts the control videos from 0.
        start: first output frame.
        end: output frame after the last.
        first: first frame of the video that is used, counted at the rate of the output.
        last: last frame that is used; None for the end of the video.
        timing: how its frames are fitted.
    """

    video: int
    start: int
    end: int
    first: int = 0
    last: int | None = None
    timing: Timing = "fit"

    def frame_indices(self, have: int, rate: Fraction, fps: Fraction) -> list[int]:
        """The frame of the video for each output frame.

        Args:
            have: frames of the video.
            rate: its frames per second.
            fps: frames per second of the output.
        """
        first = min(_frame_at(self.first, rate, fps), have - 1)
        end = have if self.last is None else min(_frame_at(self.last + 1, rate, fps), have)
        end, count = max(end, first + 1), self.end - self.start
        # A rate that was rounded must not shift frames that pair by number.
        paired = end - first == count and abs(rate / fps - 1) < SAME_RATE
        if self.timing == "fit" or paired:
            return [first + number for number in stretch_frame_indices(end - first, count)]
        ending: Ending = "loop" if self.timing == "loop" else "hold"
        return resample_frame_indices(end, rate, count, fps, ending, start=self.first)


def stretch_frame_indices(have: int, count: int) -> list[int]:
    """Indices of `count` frames spread evenly over a video of `have` frames, from its first to its last.

    Raises:
        RequestError: the video has no frames.
    """
    _check(have, count)
    return [index * (have - 1) // max(count - 1, 1) for index in range(count)]


def resample_frame_indices(
    have: int, rate: Fraction, count: int, fps: Fraction, ending: Ending = "loop", *, start: int = 0
) -> list[int]:
    """Indices of `count` frames of a video at its own speed: the first frame at or after each time.

    Args:
        have: frames of the video.
        rate: its frames per second.
        count: frames wanted; more of the video are left out.
        fps: frames per second wanted.
        ending: if the video is too short, `hold` repeats its last frame, `loop` repeats the video, `off`
            raises.
        start: frames at `fps` before the first one; if the video ends before it, its last frame is the first.

    Raises:
        RequestError: the video has no frames, or too few for `off`.
    """
    _check(have, count)
    # Each time is rounded once: to round `start` and add indices that are rounded drops or doubles frames.
    start = min(start, frame_count_at_fps(have, rate, fps) - 1)
    found = (_frame_at(start + index, rate, fps) for index in range(count))
    indices = [frame for frame in found if frame < have]
    if len(indices) == count:
        return indices
    if ending == "off":
        raise RequestError(
            "video_guide", f"reaches {len(indices)} of {count} frames", hint="loop it, or hold its last frame"
        )
    if ending == "loop":
        return [indices[index % len(indices)] for index in range(count)]
    return indices + [have - 1] * (count - len(indices))


def frame_count_at_fps(have: int, rate: Fraction, fps: Fraction) -> int:
    """How many frames a video of `have` at `rate` gives at `fps` without a change of speed."""
    return int((have - 1) * fps // rate) + 1 if have else 0


def resolve_guide_spans(total: int, videos: Sequence[GuideRange]) -> list[tuple[int, int]]:
    """First frame and end of each control video on an output of `total` frames, in the order given.

    Ranges are cut at the end of the output; those after it are empty.

    Raises:
        RequestError: two overlap, or one is empty or begins before the output.
    """
    spans = []
    for index, video in enumerate(videos):
        end = total if video.end is None else video.end
        if video.start < 0 or (video.end is not None and video.start >= video.end):
            raise RequestError("video_guide", f"number {index} is on frames {video.start} to {end}")
        spans.append((min(video.start, total), min(end, total)))
    ordered = sorted((span, index) for index, span in enumerate(spans) if span[0] < span[1])
    for (first, left), (second, right) in itertools.pairwise(ordered):
        if second[0] < first[1]:
            raise RequestError("video_guide", f"numbers {left} and {right} overlap on frame {second[0]}")
    return spans


def _frame_at(index: int, rate: Fraction, fps: Fraction) -> int:
    """The first frame of a video at `rate` at or after frame `index` at `fps`."""
    return int(-(-index * rate // fps))


def _check(have: int, count: int) -> None:
    if have < 1:
        raise RequestError("video_guide", "has no frames")
    if count < 0:
        raise RequestError("frames", f"{count}, must be 0 or more")
