"""Plan the inpainting of frames of a video, window after window."""

from __future__ import annotations

from fractions import Fraction

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.fill import Gap, RunLimits, fill_gap, notice_short_context
from wangp_cli.plan.join import sum_join_plan
from wangp_cli.plan.model import JoinPlan, KeptRange


def plan_inpaint(
    length: int,
    start: int,
    end: int,
    *,
    grid: Grid,
    fps: Fraction,
    context: int = 8,
    longest: int | None = None,
    overlap: int = 5,
) -> JoinPlan:
    """Plan new frames from `start` to before `end`, in a video whose length stays.

    The model is conditioned on frames outside the range, and none of them changes. A range too long for one
    run is split into windows of about equal length; each begins with the last frames of the one before.

    Args:
        length: frames of the video.
        start: first new frame.
        end: frame behind the last new one.
        grid: of the model.
        fps: of the video.
        context: frames before and after the range that the model is conditioned on, if there are as many.
        longest: most frames of one run, set on the model's grid; None for one run.
        overlap: frames that windows share and crossfade. Of several windows, context and overlap take at most
            a quarter each.

    Raises:
        RequestError: the range is empty or lies outside the video.
    """
    if not 0 <= start < end <= length:
        raise RequestError("portion", f"{start}-{end - 1} is not within 0-{length - 1}")
    if context < 1:
        raise RequestError("context", f"{context}, must be 1 or more")
    notices: list[Notice] = []
    runs = RunLimits(grid=grid, longest=longest, overlap=overlap, fields=("frames", "overlap"))
    runs = runs.on_grid(notices)
    gap = Gap(frames=end - start, context=context, removed=end - start, crossfade=False)
    windows = fill_gap(gap, start, start, length - end, runs, notices)
    notice_short_context("the portion", context, start, length - end, notices)
    parts = (
        KeptRange(clip=0, first=0, end=start, start=0),
        KeptRange(clip=0, first=end, end=length, start=end),
    )
    return sum_join_plan([part for part in parts if part.frames], windows, fps, notices)
