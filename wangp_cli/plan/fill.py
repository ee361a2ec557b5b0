"""Plan the segments that fill a gap between given frames, in one run of the model or in windows."""

from __future__ import annotations

from dataclasses import dataclass

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.model import Segment


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """The most frames that one run of a model generates.

    Args:
        grid: of the model.
        longest: on the grid; None for no limit.
        overlap: frames that a run shares with the next one, crossfaded.
    """

    grid: Grid
    longest: int | None = None
    overlap: int = 5

    @classmethod
    def on_grid(
        cls, grid: Grid, longest: int | None, overlap: int, field: str, notices: list[Notice]
    ) -> RunLimits:
        """Limits with `longest` set on the grid.

        Args:
            grid: of the model.
            longest: as requested; None for no limit.
            overlap: as requested.
            field: of the request that gives `longest`.
            notices: gets a sentence if `longest` changes.

        Raises:
            RequestError: the overlap is below 1.
        """
        if overlap < 1:
            raise RequestError("overlap", f"{overlap}, must be 1 or more")
        size = None if longest is None else max(grid.minimum, grid.frames(longest))
        if size != longest:
            notices.append(Notice(field=field, text=f"{longest} became {size}, which the model can make"))
        return cls(grid=grid, longest=size, overlap=overlap)


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Frames to generate between kept ones.

    Args:
        frames: new frames.
        context: frames on either side that the model is conditioned on, if there are as many.
        removed: frames of the clips that the new ones replace.
        bridging: place the frames at both edges inside the gap once more.
        portions: indices of the portions of an edit, or of the join.
    """

    frames: int
    context: int
    removed: int = 0
    bridging: bool = False
    portions: tuple[int, ...] = ()


def fill_gap(
    gap: Gap, start: int, before: int, after: int, runs: RunLimits, notices: list[Notice]
) -> list[Segment]:
    """The segments that fill a gap; all context is crossfaded with the frames generated for it.

    Frames that the grid needs beyond gap and context are further context before the gap, else after it, else
    they are trimmed. A gap too long for one run is split into windows of about equal length, of which context
    and overlap take at most a quarter each; each window begins with the last frames of the one before.

    Args:
        gap: to fill.
        start: its first output frame.
        before: frames of the output before it.
        after: kept frames after it.
        runs: limits of the model.
        notices: gets a sentence for what becomes less than requested.
    """
    front, back = min(gap.context, before), min(gap.context, after)
    overlap, count = 0, 1
    if runs.longest and runs.grid.cover(front + gap.frames + back) > runs.longest:
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
            frames = max(1, min(runs.grid.cover(share) - lead, frames - left))
        generate = runs.grid.cover(lead + frames + behind)
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
                removed=_removed_share(gap.removed, done, frames, gap.frames),
                portions=gap.portions,
            )
        )
        done += frames
    return segments


def _removed_share(removed: int, done: int, frames: int, all_frames: int) -> int:
    """How many of the removed frames a window replaces."""
    if not all_frames:
        return removed
    return removed * (done + frames) // all_frames - removed * done // all_frames
