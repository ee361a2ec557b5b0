"""Plans: kept ranges of clips and generated segments, each with its place in the output."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, PlainSerializer

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice
from wangp_cli.plan.timeline import GuideSpan
from wangp_cli.traits import Entry

T = TypeVar("T")


def _notice(value: Any) -> Any:
    return Notice.parse(value) if isinstance(value, str) else value


Sentence = Annotated[Notice, BeforeValidator(_notice), PlainSerializer(str)]
"""A notice, which is a sentence in JSON."""


class PlacedImage(Entry):
    """The index of a given image, and the generated frame of a segment at which it is placed."""

    image: int
    at: int


class Segment(Entry):
    """One run of the model, and how its frames are used.

    The `generate` frames are, in order: `drop` unused ones, `overlap` ones crossfaded with the output so far,
    `frames` new ones, `overlap_after` ones crossfaded with the frames that follow, `trim` unused ones.

    Args:
        index: counts segments from 0.
        frames: new frames of the output, of this segment alone.
        generate: frames that the model generates, on its grid.
        context: last frames of the output so far with which the model begins.
        drop: generated frames at the front that are not used.
        overlap: frames of a crossfade with the output so far.
        start: output frame of the first new one.
        context_after: frames that follow in the output, on which the model is conditioned after the new ones.
        overlap_after: frames of a crossfade with these.
        trim: generated frames at the back that are not used.
        removed: frames of the clips that this segment replaces.
        pictures: given images and their places.
        anchor: the given image of SVI, placed at the first generated frame; -1 is the last frame of context.
            None for segments without SVI.
        bridging: places of the last frame before a join and of the first after it.
        portions: indices of the portions of an edit, or of the parts of a travel, that this generates.
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
        """Frames of context that the model generates again, directly before the first new one."""
        return self.context if self.anchor is None else max(self.lead - 1, 0)

    @property
    def generate_start(self) -> int:
        """Output frame of the first generated frame; generated frame j is `generate_start + j`."""
        return self.start - self.lead

    @property
    def new_end(self) -> int:
        """The generated frame after the last new one."""
        return self.lead + self.frames

    @property
    def held(self) -> int | None:
        """The generated frame from which on the last image is held: only unused frames follow it."""
        last = max((picture.at for picture in self.pictures), default=-1)
        return last if self.new_end - 1 <= last < self.generate - 1 else None

    def limit_crossfade(self, *, before: int | None = None, after: int | None = None) -> Segment:
        """The segment with shorter crossfades; the frames that are left out are generated and not used.

        Args:
            before: most frames of the crossfade with the output so far; None changes nothing.
            after: most frames of that with the frames that follow; None changes nothing.
        """
        overlap = self.overlap if before is None else min(self.overlap, before)
        overlap_after = self.overlap_after if after is None else min(self.overlap_after, after)
        return self.model_copy(
            update={
                "overlap": overlap,
                "drop": self.lead - overlap,
                "overlap_after": overlap_after,
                "trim": self.trim + self.overlap_after - overlap_after,
            }
        )

    @property
    def changed_range(self) -> tuple[int, int]:
        """The output frames that the segment generates or crossfades: first, and end."""
        return self.start - self.overlap, self.start + self.frames + self.overlap_after


class KeptRange(Entry):
    """Frames `first` to before `end` of a clip, kept from output frame `start` on."""

    clip: int
    first: int
    end: int
    start: int

    @property
    def frames(self) -> int:
        """Count of frames."""
        return self.end - self.first


class Plan(Entry):
    """A video of `total` frames: every one belongs to exactly one kept range or segment.

    Args:
        total: frames of the output.
        fps: frames per second.
        segments: in the order of their runs.
        kept: ranges of given clips.
        anchors: output frame of each given image.
        guides: places of control videos.
        notices: requested values that were changed; sentences in JSON.
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
        """The kept ranges before and after a segment; after one that closes a loop, the first of the plan."""
        parts = self.parts
        index = parts.index(segment)
        before = next((part for part in reversed(parts[:index]) if isinstance(part, KeptRange)), None)
        behind = next((part for part in parts[index:] if isinstance(part, KeptRange)), None)
        if behind is None and any(part.context_after for part in self.gap_windows(segment)):
            behind = self.kept[0]
        return before, behind

    def gap_windows(self, segment: Segment) -> list[Segment]:
        """All windows of the gap that a segment fills."""
        windows: list[Segment] = []
        for part in self.parts:
            if isinstance(part, Segment):
                windows.append(part)
            elif segment in windows:
                break
            else:
                windows = []
        return windows


class JoinPlan(Plan):
    """A plan of bridges between clips.

    Args:
        generate: generated frames, in all.
        gap: new frames, in all.
        removed: replaced frames of the clips, in all.
        context: frames of the clips that the model is conditioned on, in all.
    """

    generate: int
    gap: int
    removed: int
    context: int


def value_of_unit(values: Sequence[T], unit: int) -> T:
    """The value of one unit, of values that `broadcast` has checked."""
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
