"""Plan the segments that fill a gap between given frames, in one run of the model or in windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        fields: the fields of the request that give `longest` and `overlap`.
    """

    grid: Grid
    longest: int | None = None
    overlap: int = 5
    fields: tuple[str, str] = ("sliding_window_size", "sliding_window_overlap")

    def on_grid(self, notices: list[Notice]) -> RunLimits:
        """The same with `longest` set on the grid.

        Args:
            notices: gets a sentence if `longest` changes.

        Raises:
            RequestError: the overlap is below 1.
        """
        field, field_of_overlap = self.fields
        if self.overlap < 1:
            raise RequestError(field_of_overlap, f"{self.overlap}, must be 1 or more")
        if self.longest is None:
            return self
        size = max(self.grid.minimum, self.grid.frames(self.longest))
        if size != self.longest:
            text = f"{self.longest} became {size}, which the model can make"
            notices.append(Notice(field=field, text=text))
        return replace(self, longest=size)


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Frames to generate between kept ones.

    Args:
        frames: new frames.
        context: frames on either side that the model is conditioned on, if there are as many.
        removed: frames of the clips that the new ones replace.
        crossfade: mix the context with the frames generated for it; if not, no frame beside the gap changes.
        bridging: place the frames at both edges inside the gap once more.
        portions: indices of the portions of an edit, or of the join.
    """

    frames: int
    context: int
    removed: int = 0
    crossfade: bool = True
    bridging: bool = False
    portions: tuple[int, ...] = ()


def fill_gap(
    gap: Gap, start: int, before: int, after: int, runs: RunLimits, notices: list[Notice]
) -> list[Segment]:
    """The segments that fill a gap; the gap's context is crossfaded with the frames generated for it.

    Frames that the grid needs beyond gap and context are further context before the gap, else after it, which
    is not crossfaded, else they are trimmed. A gap too long for one run is split into windows of about equal
    length, of which context and overlap take at most a quarter each; each window begins with the last frames
    of the one before.

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
            for field, value in (("context", max(front, back)), (runs.fields[1], runs.overlap))
            if value > most
        ]
        front, back, overlap = min(front, most), min(back, most), min(runs.overlap, most)
        count = max(1, -(-(front + gap.frames + back - overlap) // (runs.longest - overlap)))
    segments: list[Segment] = []
    done = 0
    for left in reversed(range(count)):
        lead, overlap_after = overlap if segments else front, 0 if left else back
        share = -(-(lead + gap.frames - done + back + left * overlap) // (left + 1))
        frames = gap.frames - done
        if left:
            frames = max(1, min(runs.grid.cover(share) - lead, frames - left))
        generate = runs.grid.cover(lead + frames + overlap_after)
        spare = generate - lead - frames - overlap_after
        more = min(spare, before + done - lead)
        more_after = 0 if left else min(spare - more, after - overlap_after)
        segments.append(
            Segment(
                index=len(segments),
                frames=frames,
                generate=generate,
                context=lead + more,
                drop=more,
                overlap=lead,
                start=start + done,
                context_after=overlap_after + more_after,
                overlap_after=overlap_after,
                trim=spare - more,
                removed=_removed_share(gap.removed, done, frames, gap.frames),
                portions=gap.portions,
            )
        )
        done += frames
    if not gap.crossfade:
        segments[0] = segments[0].limit_crossfade(before=0)
        segments[-1] = segments[-1].limit_crossfade(after=0)
    return segments


def notice_short_context(place: str, context: int, before: int, after: int, notices: list[Notice]) -> None:
    """Tell of less context than requested.

    Args:
        place: the gap, for people.
        context: frames requested on either side.
        before: frames there are before the gap.
        after: frames there are after it.
        notices: gets a sentence for each side with less.
    """
    for side, frames in (("before", before), ("after", after)):
        if frames < context:
            asked = f"{context} frame{'s' if context > 1 else ''} asked {side} {place}"
            there = f"there {'is' if frames == 1 else 'are'} {frames or 'none'}"
            notices.append(Notice(field="context", text=f"{asked}, {there}"))


def _removed_share(removed: int, done: int, frames: int, all_frames: int) -> int:
    """How many of the removed frames a window replaces."""
    if not all_frames:
        return removed
    return removed * (done + frames) // all_frames - removed * done // all_frames
