"""Control videos for the generated frames of a planned video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from wangp_cli.errors import RequestError
from wangp_cli.plan.edit import Portion
from wangp_cli.plan.model import broadcast
from wangp_cli.plan.timeline import GuideRange, GuideSpan, Timing, resolve_guide_spans
from wangp_cli.tasks.control_pictures import GuideOptions
from wangp_cli.tasks.fields import FINITE, MANY, Flag, Input
from wangp_cli.tasks.portions import check_plain_portion, frames_of

Portions = Annotated[tuple[Annotated[str, AfterValidator(check_plain_portion)], ...], MANY]


class StructureOptions(GuideOptions):
    """Control videos: where each is used, which of its frames, and how strongly."""

    panel: ClassVar[str] = "Guides"
    video_guide: Annotated[
        tuple[Path, ...],
        MANY,
        Input(("video",), "control"),
        Flag("Control video for the result, frame by frame; repeatable.", metavar="FILE"),
    ] = ()
    guide_range: Annotated[
        Portions,
        Flag(
            "Where a control video is used: frames of the result 0-80, both included, or seconds 0s-5s; "
            "repeatable, one for each.",
            metavar="START-END",
            default="all new frames",
        ),
    ] = ()
    guide_cut: Annotated[
        Portions,
        Flag(
            "Which frames of a control video are used: frames at the rate of the result, or seconds; "
            "repeatable, one for each.",
            metavar="START-END",
            default="all of it",
        ),
    ] = ()
    guide_timing: Annotated[
        Timing,
        Flag(
            "Stretch the control video to its range (fit), or keep its speed: cut it or hold its last frame "
            "(trim), repeat it (loop), refuse another length (off)."
        ),
    ] = "fit"
    guide_strength: Annotated[
        float,
        FINITE,
        Field(ge=0, le=1),
        Flag(
            "Weight of the control video; below 1 it is mixed with the grey of unknown frames.", metavar="X"
        ),
    ] = 1.0

    def guide_spans(
        self, total: int, before: int, lengths: Sequence[int], rate: Fraction
    ) -> tuple[GuideSpan, ...]:
        """The frames of the result that each control video guides.

        Args:
            total: frames of the result.
            before: how many of them are kept.
            lengths: frames of each control video at `rate`.
            rate: frames per second of the result.

        Raises:
            RequestError: ranges overlap, or a video does not have the length of its range.
        """
        count = len(lengths)
        for field in ("guide_range", "guide_cut"):
            if len(given := getattr(self, field)) > count:
                raise RequestError(field, f"{len(given)} values, wanted {count}, one for each video guide")
        if count == 0:
            return ()
        if count > 1 and len(self.guide_range) != count:
            raise RequestError(
                "video_guide",
                f"{count} given with {len(self.guide_range)} ranges, wanted one for each",
                hint="--guide-range START-END for each",
            )
        ranges = [frames_of("guide_range", text, rate) for text in self.guide_range]
        requested = [GuideRange(start=part.first, end=part.last + 1) for part in ranges] or [
            GuideRange(start=before)
        ]
        whole: tuple[str | None, ...] = (None,)
        cuts = broadcast("guide_cut", self.guide_cut or whole, count, "video guide")
        spans = []
        for video, (start, end) in enumerate(resolve_guide_spans(total, requested)):
            if start == end:
                raise RequestError("guide_range", f"begins on frame {start}, but the result has {total}")
            part = _used_frames(cuts[video], lengths[video], rate)
            if self.guide_timing == "off" and part.last - part.first + 1 != end - start:
                raise RequestError(
                    "video_guide",
                    f"number {video} has {part.last - part.first + 1} frames at {rate} fps, wanted "
                    f"{end - start}",
                    hint="--guide-timing loop",
                )
            last = part.last if cuts[video] else None
            span = GuideSpan(
                video=video, start=start, end=end, first=part.first, last=last, timing=self.guide_timing
            )
            spans.append(span)
        return tuple(spans)


def _used_frames(text: str | None, length: int, rate: Fraction) -> Portion:
    """The frames of a control video to use, of so many at the rate of the result."""
    if text is None:
        return Portion(first=0, last=length - 1)
    portion = frames_of("guide_cut", text, rate)
    if portion.last >= length or portion.first > portion.last:
        raise RequestError("guide_cut", f"{text!r} is not within 0-{length - 1}")
    return portion
