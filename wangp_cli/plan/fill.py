"""Frames between given ones, in one run of the model or in windows."""

from __future__ import annotations

from dataclasses import dataclass

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.model import Segment, cover


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """How much a model makes in one go.

    Args:
        grid: of the model.
        longest: frames at most, on the grid; None for any number.
        overlap: frames that a run shares with the next, crossfaded.
    """

    grid: Grid
    longest: int | None = None
    overlap: int = 5

    @classmethod
    def on_grid(
        cls, grid: Grid, longest: int | None, overlap: int, field: str, notices: list[Notice]
    ) -> RunLimits:
        """What was asked for, set on the grid; `field` is what `longest` is called.

        Raises:
            RequestError: runs share nothing.
        """
        if overlap < 1:
            raise RequestError("overlap", f"{overlap}, must be 1 or more")
        size = None if longest is None else max(grid.minimum, grid.frames(longest))
        if size != longest:
            notices.append(Notice(field=field, text=f"{longest} became {size}, which the model can make"))
        return cls(grid=grid, longest=size, overlap=overlap)


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A place to fill.

    Args:
        frames: new ones.
        context: frames to give the model on either side, where there are so many.
        removed: frames that were there.
        bridging: show the frames at both edges again inside the gap.
        portions: which portions of an edit, or which join, it is for.
    """

    frames: int
    context: int
    removed: int = 0
    bridging: bool = False
    portions: tuple[int, ...] = ()


def fill_gap(
    gap: Gap, start: int, before: int, after: int, runs: RunLimits, notices: list[Notice]
) -> list[Segment]:
    """The runs that make a gap; all context is mixed with what is made of it.

    What the grid asks for beyond gap and context is more context in front; behind, where that is short; else
    frames made in vain. A gap too long for one run goes in windows of about equal length, of which context
    and overlap take a quarter each at most; each begins with the last frames of the one before.

    Args:
        gap: to fill.
        start: its first output frame.
        before: frames there are in front of it.
        after: frames there are behind it.
        runs: of the model.
        notices: told of what became less than asked.
    """
    front, back = min(gap.context, before), min(gap.context, after)
    overlap, count = 0, 1
    if runs.longest and cover(runs.grid, front + gap.frames + back) > runs.longest:
        most = max(runs.longest // 4, 1)
        notices += [
            Notice(field=field, text=f"{value} became {most}, a quarter of a window of {runs.longest}")
            for field, value in (("context", max(front, back)), ("overlap", runs.overlap))
            if value > most
        ]
        front, back, overlap = min(front, most), min(back, most), min(runs.overlap, most)
        count = max(1, -(-(front + gap.frames + back - overlap) // (runs.longest - overlap)))
    segments: list[Segment] = []
    done = 0
    for left in reversed(range(count)):
        lead, behind = overlap if segments else front, 0 if left else back
        share = -(-(lead + gap.frames - done + back + left * overlap) // (left + 1))
        frames = gap.frames - done
        if left:
            frames = max(1, min(cover(runs.grid, share) - lead, frames - left))
        generate = cover(runs.grid, lead + frames + behind)
        spare = generate - lead - frames - behind
        more = min(spare, before + done - lead)
        if not left:
            behind += min(spare - more, after - behind)
        segments.append(
            Segment(
                index=len(segments),
                frames=frames,
                generate=generate,
                context=lead + more,
                drop=more if segments else 0,
                overlap=lead if segments else lead + more,
                start=start + done,
                context_after=behind,
                overlap_after=behind,
                trim=generate - lead - more - frames - behind,
                removed=_share(gap.removed, done, frames, gap.frames),
                portions=gap.portions,
            )
        )
        done += frames
    return segments


def _share(removed: int, done: int, frames: int, all_frames: int) -> int:
    """How many of the frames that were there a window stands for."""
    if not all_frames:
        return removed
    return removed * (done + frames) // all_frames - removed * done // all_frames
