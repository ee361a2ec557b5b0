"""Join the parts of a plan: cuts, crossfades and colour matching."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from wangp_cli.errors import GenerationError
from wangp_cli.media.blend import crossfade
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.match import (
    RedrawnColours,
    WeightedTransfer,
    apply_transfers,
    compare_redrawn,
    transfers_between,
)
from wangp_cli.media.spool import Spool
from wangp_cli.plan.model import KeptRange, Plan, Segment
from wangp_cli.workflows.guides import KnownFrames

_FRAMES_AT_ONCE = 16
"""Frames that are colour-matched at once."""


class Splicer:
    """Joins parts in order and yields frames as soon as no later part can change them.

    Frames become float32: 8 bits survive, and one file has one dtype.

    Args:
        reserve: frames to hold back, at least the longest overlap and the longest `tail`.
        sharpen: detail restored in crossfaded frames, as in `media.blend.crossfade`.
    """

    def __init__(self, reserve: int, sharpen: float = 0.0) -> None:
        self.total = 0
        self._reserve = reserve
        self._sharpen = sharpen
        self._held: NDArray[np.float32] | None = None

    def add(self, pieces: Iterable[Frames], overlap: int = 0) -> Iterator[Frames]:
        """Append a part; its first `overlap` frames are crossfaded with the last ones so far.

        Args:
            pieces: `[t, H, W, C]` each, in order.
            overlap: frames of the crossfade.

        Yields:
            float32 frames that are final. All must be taken before the next call.

        Raises:
            GenerationError: the part, or what is there, is shorter than `overlap`.
        """
        if overlap > (have := 0 if self._held is None else len(self._held)):
            raise GenerationError(f"a crossfade of {overlap} frames with a clip of {have}")
        start: list[NDArray[np.float32]] = []
        for piece in map(as_float, pieces):
            if overlap:
                start.append(piece)
                if sum(map(len, start)) < overlap:
                    continue
                piece = self._crossfade_held(np.concatenate(start), overlap)  # noqa: PLW2901 - the same frames, mixed
                overlap = 0
            self.total += len(piece)
            held = piece if self._held is None else np.concatenate([self._held, piece])
            ready = max(0, len(held) - self._reserve)
            # A view would keep the yielded frames in memory.
            self._held = held[ready:].copy()
            if ready:
                yield held[:ready]
        if overlap:
            raise GenerationError(f"a crossfade of {overlap} frames with a clip of {sum(map(len, start))}")

    def tail(self, count: int) -> NDArray[np.float32]:
        """The last `count` frames so far, at most the reserve: float32 `[count, H, W, C]`."""
        assert self._held is not None
        return self._held[len(self._held) - count :]

    def finish(self) -> Iterator[Frames]:
        """Yield the frames held back."""
        if self._held is not None and len(self._held):
            yield self._held
        self._held = None

    def _crossfade_held(self, start: NDArray[np.float32], overlap: int) -> NDArray[np.float32]:
        assert self._held is not None
        keep = len(self._held) - overlap
        mixed = crossfade(self._held[keep:], start[:overlap], sharpen=self._sharpen)
        self._held = self._held[:keep]
        self.total -= overlap
        return np.concatenate([mixed, start[overlap:]])


def stitch(
    plan: Plan,
    keep: Callable[[KeptRange], Iterable[Frames]],
    make: Callable[[Segment, Frames | None], Iterable[Frames]],
    *,
    sharpen: float = 0.0,
) -> Iterator[Frames]:
    """Yield the video of a plan; only the frames of a seam and of context stay in memory.

    Args:
        plan: of the video.
        keep: gives the frames of a kept range, `[t, H, W, C]` each, in order.
        make: gives all generated frames of a segment in the same way, from the last `segment.context` frames
            of the output so far, None if there are none.
        sharpen: detail restored in crossfaded frames, as in `media.blend.crossfade`.

    Yields:
        float32 `[t, H, W, C]`, `plan.total` frames in all.

    Raises:
        GenerationError: a part has other frames than planned.
    """
    reserves = (max(part.context, part.overlap, part.overlap_after) for part in plan.segments)
    splicer = Splicer(max(reserves, default=0), sharpen)
    overlap = 0
    for part in plan.parts:
        if isinstance(part, KeptRange):
            yield from splicer.add(
                _select(keep(part), 0, part.frames, part.frames, f"clip {part.clip}"), overlap
            )
            overlap = 0
            continue
        context = splicer.tail(part.context) if part.context else None
        used = _select(
            make(part, context), part.drop, part.generate - part.trim, part.generate, f"segment {part.index}"
        )
        yield from splicer.add(used, part.overlap)
        overlap = part.overlap_after
    yield from splicer.finish()
    if splicer.total != plan.total:
        raise GenerationError(f"the video has {splicer.total} frames, planned were {plan.total}")


def match_segment_colours(
    frames: Frames | Spool, segment: Segment, known: KnownFrames, strength: float = 1.0
) -> Iterator[Frames]:
    """The frames of a segment, corrected for the colour drift of the model.

    The model generates known frames again. The difference of their colours is removed from all frames: at the
    front the difference measured there, at the back that measured there, between them a mix of both
    (`media.match.transfer_weights`). What the model drew wrong does not count: pixels (`compare_redrawn`), or
    all of one end where the other is drawn well.

    Args:
        frames: `[segment.generate, H, W, 3]`, any dtype of `Frames`.
        segment: of a plan.
        known: frames that the model was conditioned on.
        strength: 0 changes nothing, 1 is the full correction.

    Yields:
        float32 `[t, H, W, 3]`, all frames in order.
    """
    transfers = _weighted_transfers(frames, segment, known, strength)
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        piece = as_float(frames[first : first + _FRAMES_AT_ONCE])
        if segment.held is not None and 0 <= segment.held - first < len(piece):
            # Of the frames that show a held image the last is drawn best: the first follows on motion.
            piece = piece.copy()
            piece[segment.held - first] = as_float(frames[len(frames) - 1 :])[0]
        own = [(change, weights[first : first + _FRAMES_AT_ONCE]) for change, weights in transfers]
        yield apply_transfers(piece, own) if own else piece


def _weighted_transfers(
    frames: Frames | Spool, segment: Segment, known: KnownFrames, strength: float
) -> list[WeightedTransfer]:
    if strength == 0:
        return []
    ends = [_front_colours(frames, segment, known), _back_colours(frames, segment, known)]
    told = [end for end in ends if end is not None]
    good = [end for end in told if not end.is_drawn_badly] or told
    if len(good) == 2:
        return transfers_between(len(frames), good[0].change, good[1].change, strength)
    return [(end.change, np.full(len(frames), strength)) for end in good]


def _front_colours(frames: Frames | Spool, segment: Segment, known: KnownFrames) -> RedrawnColours | None:
    if (redrawn := segment.redrawn_context) and known.context is not None:
        return compare_redrawn(frames[segment.lead - redrawn : segment.lead], known.context[-redrawn:])
    opening = [picture for picture in segment.pictures if picture.at == 0]
    return compare_redrawn(frames[:1], known.pictures[opening[0].image]) if opening else None


def _back_colours(frames: Frames | Spool, segment: Segment, known: KnownFrames) -> RedrawnColours | None:
    if segment.context_after and known.after is not None:
        return compare_redrawn(frames[segment.new_end : segment.new_end + segment.context_after], known.after)
    closing = max(segment.pictures, key=lambda picture: picture.at, default=None)
    if closing is None or closing.at < max(segment.lead, 1):
        return None
    end = closing.at + 1 if segment.held is None else segment.generate
    redrawn = frames[closing.at : end]
    return compare_redrawn(redrawn, np.repeat(known.pictures[closing.image], len(redrawn), axis=0))


def _select(pieces: Iterable[Frames], first: int, end: int, count: int, name: str) -> Iterator[Frames]:
    """Frames `first` to before `end` of pieces that have `count` in all."""
    seen = 0
    for piece in pieces:
        part = piece[max(0, first - seen) : max(0, end - seen)]
        seen += len(piece)
        if len(part):
            yield part
    if seen != count:
        raise GenerationError(f"{name} has {seen} frames, planned were {count}")
