"""Paint frames of a video anew, window after window."""

from __future__ import annotations

from fractions import Fraction

from wangp_cli.catalogue import Grid
from wangp_cli.errors import RequestError
from wangp_cli.plan.join import join_plan
from wangp_cli.plan.model import JoinPlan, Kept, Segment, cover


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

    Frames outside the range are shown to the model as context, and none of them changes. A range too long
    for one run goes in windows of about equal length; each begins with the last frames of the one before.

    Args:
        length: frames of the video.
        start: first new frame.
        end: frame behind the last new one.
        grid: of the model.
        fps: of the video.
        context: frames beside the range to give the model, where there are so many.
        longest: frames of one run at most, set on the model's grid; all goes in one run without it.
        overlap: frames that windows share and crossfade. Of several windows, context and overlap are at
            most a quarter.

    Raises:
        RequestError: the range is empty or lies outside the video.
    """
    if not 0 <= start < end <= length:
        raise RequestError("portion", f"{start}-{end - 1} is not within 0-{length - 1}")
    for field, value in (("context", context), ("overlap", overlap)):
        if value < 1:
            raise RequestError(field, f"{value}, must be 1 or more")
    notices = []
    front, back = min(context, start), min(context, length - end)
    whole = cover(grid, front + end - start + back)
    size = whole if longest is None else max(grid.minimum, grid.frames(longest))
    if longest not in (None, size):
        notices.append(f"frames: {longest} became {size}, which the model can make")
    if whole <= size:
        overlap = 0
    else:
        most = max(size // 4, 1)
        notices += [
            f"{field}: {value} became {most}, a quarter of a window of {size}"
            for field, value in (("context", max(front, back)), ("overlap", overlap))
            if value > most
        ]
        front, back, overlap = min(front, most), min(back, most), min(overlap, most)
    segments = _windows(length, range(start, end), (front, back), size, overlap, grid)
    parts = (Kept(clip=0, first=0, end=start, start=0), Kept(clip=0, first=end, end=length, start=end))
    return join_plan([part for part in parts if part.frames], segments, fps, notices)


def _windows(
    length: int, new: range, context: tuple[int, int], size: int, overlap: int, grid: Grid
) -> list[Segment]:
    front, back = context
    # Every window but the first begins with the overlap, none makes more than `size`.
    count = max(1, -(-(front + len(new) + back - overlap) // (size - overlap)))
    segments = []
    for index in range(count):
        lead = overlap if index else front
        left = count - index - 1
        share = -(-(lead + len(new) + back + left * overlap) // (left + 1))
        frames = max(1, min(cover(grid, share) - lead, len(new) - left)) if left else len(new)
        after = 0 if left else back
        generate = cover(grid, lead + frames + after)
        spare = generate - lead - frames - after
        # What the grid asks for is context in front; behind, where that is short; else made in vain.
        more = min(spare, new.start - lead)
        behind = after + (0 if left else min(spare - more, length - new.stop - after))
        segments.append(
            Segment(
                index=index,
                frames=frames,
                generate=generate,
                context=lead + more,
                drop=more if index else lead + more,
                overlap=lead if index else 0,
                start=new.start,
                context_after=behind,
                trim=generate - lead - more - frames,
                removed=frames,
            )
        )
        new = new[frames:]
    return segments
