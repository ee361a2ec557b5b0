"""What a plan says: kept frames and generated segments, each with its place in the output."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, PlainSerializer

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.models import Entry
from wangp_cli.notices import Notice
from wangp_cli.plan.timeline import GuideSpan

T = TypeVar("T")


def _notice(value: Any) -> Any:
    return Notice.parse(value) if isinstance(value, str) else value


Sentence = Annotated[Notice, BeforeValidator(_notice), PlainSerializer(str)]
"""A notice, which is a sentence in JSON."""


class PlacedImage(Entry):
    """A given image and the frame of a segment it stands at, counted from the first generated one."""

    image: int
    at: int


class Segment(Entry):
    """One run of the model, and what becomes of its frames.

    In order, `generate` frames are: `drop` thrown away, `overlap` mixed into the output so far, `frames` new
    ones, `overlap_after` mixed into the frames that follow, `trim` thrown away.

    Args:
        index: counts segments from 0.
        frames: new frames of the output; no other part makes them.
        generate: frames the model makes, on its grid.
        context: frames of the output so far that the model is given to begin with.
        drop: generated frames thrown away at the front.
        overlap: frames of a crossfade with the output so far.
        start: output frame of the first new one.
        context_after: frames that follow in the output, given to the model after the new ones.
        overlap_after: how many of these are a crossfade.
        trim: generated frames thrown away at the back.
        removed: frames cut out of the clips for this segment.
        pictures: given images and where they stand.
        anchor: the given image that SVI holds on to, shown as the first generated frame; -1 is the last frame
            of context. None of other segments.
        bridging: where in a join the last frame before it and the first after it stand again.
        portions: which of the portions to edit, or of the parts of a travel, this makes, in the order given.
    """

    index: int
    frames: int
    generate: int
    context: int
    drop: int
    overlap: int
    start: int
    context_after: int = 0
    overlap_after: int = 0
    trim: int = 0
    removed: int = 0
    pictures: tuple[PlacedImage, ...] = ()
    anchor: int | None = None
    bridging: tuple[int, ...] = ()
    portions: tuple[int, ...] = ()

    @property
    def lead(self) -> int:
        """Generated frames before the first new one."""
        return self.drop + self.overlap

    @property
    def redrawn_context(self) -> int:
        """Frames of context that the model draws again, directly before the first new one."""
        return self.context if self.anchor is None else self.overlap

    @property
    def generate_start(self) -> int:
        """Output frame on which the first generated frame lands; frame j lands on `begins + j`."""
        return self.start - self.lead

    @property
    def new_end(self) -> int:
        """Generated frame that follows the last new one."""
        return self.lead + self.frames

    @property
    def without_crossfade_after(self) -> Segment:
        """The same without a crossfade into what follows."""
        return self.model_copy(update={"overlap_after": 0, "trim": self.trim + self.overlap_after})

    @property
    def without_crossfade_before(self) -> Segment:
        """The same without a crossfade from what it begins with."""
        return self.model_copy(update={"overlap": 0, "drop": self.lead})

    @property
    def changed_range(self) -> tuple[int, int]:
        """First output frame this may change, and the first one behind that it may not."""
        return self.start - self.overlap, self.start + self.frames + self.overlap_after


class KeptRange(Entry):
    """Frames of a given clip that stay: `first` to before `end`, from output frame `start` on."""

    clip: int
    first: int
    end: int
    start: int

    @property
    def frames(self) -> int:
        """How many."""
        return self.end - self.first


class Plan(Entry):
    """A video of `total` frames: every one belongs to exactly one kept range or segment.

    Args:
        total: frames of the output.
        fps: frames per second.
        segments: in the order they are made.
        kept: frames of given clips.
        anchors: output frame of each given image.
        guides: where control videos lie.
        notices: what was changed of what was asked; sentences in JSON.
    """

    total: int
    fps: Fraction
    segments: tuple[Segment, ...]
    kept: tuple[KeptRange, ...] = ()
    anchors: tuple[int, ...] = ()
    guides: tuple[GuideSpan, ...] = ()
    notices: tuple[Sentence, ...] = ()

    @property
    def parts(self) -> list[KeptRange | Segment]:
        """Kept ranges and segments in the order of the output."""
        # A segment without new frames begins where the kept range behind it does.
        return sorted([*self.segments, *self.kept], key=lambda part: part.start)

    def kept_neighbours(self, segment: Segment) -> tuple[KeptRange | None, KeptRange | None]:
        """The kept ranges on both sides; a segment that closes a circle is followed by the first one."""
        parts = self.parts
        index = parts.index(segment)
        before = next((part for part in reversed(parts[:index]) if isinstance(part, KeptRange)), None)
        behind = next((part for part in parts[index:] if isinstance(part, KeptRange)), None)
        if behind is None and any(part.context_after for part in self.gap_windows(segment)):
            behind = self.kept[0]
        return before, behind

    def gap_windows(self, segment: Segment) -> list[Segment]:
        """The windows that fill one gap, of which a segment is one."""
        found: list[Segment] = []
        for part in self.parts:
            if isinstance(part, Segment):
                found.append(part)
            elif segment in found:
                break
            else:
                found = []
        return found


class JoinPlan(Plan):
    """A plan of bridges between clips.

    Args:
        generate: frames the model makes, in all.
        gap: new frames, in all.
        removed: frames cut out of the clips, in all.
        context: frames of the clips that the model is given, in all.
    """

    generate: int
    gap: int
    removed: int
    context: int


def cover(grid: Grid, count: int) -> int:
    """The fewest frames on the grid that are at least `count`."""
    return grid.cover(count)


def value_of_unit(values: Sequence[T], unit: int) -> T:
    """The value for one unit, of values that were checked by `broadcast`."""
    return values[0] if len(values) == 1 else values[unit]


def broadcast(field: str, values: Sequence[T], count: int, unit: str) -> list[T]:
    """One value for each of `count` units; a single value serves all.

    Raises:
        RequestError: another number of values.
    """
    if len(values) == 1:
        return list(values) * count
    if len(values) != count:
        wanted = f"1 or {count}" if count > 1 else str(count)
        raise RequestError(field, f"{len(values)} values, wanted {wanted}, one for each {unit}")
    return list(values)
