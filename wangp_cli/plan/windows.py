"""Plan sliding windows for a video longer than one run of a model."""

from __future__ import annotations

from fractions import Fraction

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.model import KeptRange, Plan, Segment


def window_count(frames: int, window: int, overlap: int, discard: int = 0) -> int:
    """Count of windows of a video; all arguments are frames.

    Source: WanGP's `compute_sliding_window_no`.
    """
    if frames <= window:
        return 1
    return 1 - (-(frames - window + discard) // (window - discard - overlap))


def plan_windows(
    frames: int,
    *,
    window: int,
    overlap: int,
    grid: Grid,
    fps: Fraction,
    discard: int = 0,
    before: int = 0,
    ends: bool = False,
) -> Plan:
    """Plan a long video of exactly `frames`, window after window.

    Each window begins with `overlap` frames of the one before, whole latent frames, which all families can
    continue. The last one is as short as possible; what its grid needs beyond that is cut off.

    Args:
        frames: of the video.
        window: most frames of one run of the model; set on its grid.
        overlap: frames shared by neighbours, rounded down to 1, 5, 9, ...; 1 for image-to-video models.
        grid: of the model.
        fps: of the video.
        discard: unused frames at the end of a window, where models lose quality.
        before: frames of a video to continue, which comes first in the output, unchanged. Its last ones, with
            which the first window begins, count among `frames`.
        ends: the last frame is given, so nothing may be cut off after it: the last window begins earlier.

    Raises:
        RequestError: a window has no new frames.
    """
    for field, value, least in (
        ("frames", frames, 1),
        ("overlap", overlap, 1),
        ("discard", discard, 0),
        ("window", window, 2),
    ):
        if value < least:
            raise RequestError(field, f"{value}, must be {least} or more")
    notices: list[Notice] = []
    size, shared = grid.frames(window), grid.context(overlap)
    if size != window:
        notices.append(Notice(field="window", text=f"{window} became {size}, which the model can make"))
    if shared != overlap:
        notices.append(Notice(field="overlap", text=f"{overlap} became {shared}, whole latent frames"))
    if shared + discard >= size:
        raise RequestError(
            "overlap", f"{shared} and {discard} discarded leave nothing new of a window of {size}"
        )
    given = grid.context(min(before, shared)) if before else 0
    if frames <= given:
        raise RequestError("frames", f"{frames}, but {given} of them are given")
    segments: list[Segment] = []
    start, end = before, before - given + frames
    count = window_count(frames, size, shared, discard)
    for index in range(count):
        lead = shared if index else given
        new = end - start if index == count - 1 else size - discard - lead
        generate = grid.cover(lead + new) if index == count - 1 else size
        extra = generate - lead - new if ends and 0 < index == count - 1 else 0
        segments.append(
            Segment(
                index=index,
                frames=new,
                generate=generate,
                context=lead + extra,
                # Given frames stay unchanged.
                drop=extra if index else lead,
                overlap=lead if index else 0,
                start=start,
                trim=generate - lead - new - extra,
            )
        )
        start += new
    kept = (KeptRange(clip=0, first=0, end=before, start=0),) if before else ()
    return Plan(total=end, fps=fps, segments=tuple(segments), kept=kept, notices=tuple(notices))
