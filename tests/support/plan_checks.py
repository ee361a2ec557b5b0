"""Check plans by cutting and joining lists of names instead of frames."""

from __future__ import annotations

from collections.abc import Sequence

from wangp_cli.grid import Grid
from wangp_cli.plan.model import KeptRange, Plan, Segment

Owner = tuple[str, int, int]
"""`("clip", clip, frame)` or `("segment", segment, generated frame)`."""


def sentences(plan: Plan) -> tuple[str, ...]:
    """The notices of a plan as people read them."""
    return tuple(map(str, plan.notices))


def laid(plan: Plan) -> list[Owner]:
    """The owner of each output frame; a crossfaded frame belongs to the clip that the segment overlaps."""
    output: list[Owner] = []
    after: list[Owner] = []
    for part in plan.parts:
        assert part.start == len(output)
        if isinstance(part, KeptRange):
            kept = [("clip", part.clip, frame) for frame in range(part.first, part.end)]
            assert len(after) <= len(kept)
            output += kept
            after = []
            continue
        assert not after, "two segments share a crossfade"
        assert part.context <= len(output)
        made = [("segment", part.index, frame) for frame in range(part.generate)]
        used = made[part.drop : len(made) - part.trim]
        assert part.overlap <= len(output)
        new = used[part.overlap : len(used) - part.overlap_after]
        assert len(new) == part.frames
        after = used[len(used) - part.overlap_after :]
        output += new
    assert not after
    return output


def check(plan: Plan, grid: Grid, clips: Sequence[int] = ()) -> None:
    """Assert the invariants of every plan."""
    output = laid(plan)
    assert len(output) == plan.total
    assert len(set(output)) == plan.total
    following = {part.start: part.frames for part in plan.kept}
    for segment in plan.segments:
        _check_segment(segment, grid)
        first = following.get(segment.start + segment.frames, 0)
        closes = segment.start + segment.frames == plan.total
        assert segment.context_after <= (plan.kept[0].frames if closes and segment.context_after else first)
        assert all(
            output[segment.start + i] == ("segment", segment.index, segment.lead + i)
            for i in range(segment.frames)
        )
    for part in plan.kept:
        assert 0 <= part.first < part.end <= clips[part.clip]
    for image, frame in enumerate(plan.anchors):
        kind, index, place = output[frame]
        assert kind == "segment"
        pictures = plan.segments[index].pictures
        assert any(picture.image == image and picture.at == place for picture in pictures)


def _check_segment(segment: Segment, grid: Grid) -> None:
    assert segment.generate >= grid.minimum
    assert (segment.generate - grid.minimum) % grid.step == 0 or segment.generate % grid.step == 1
    assert segment.generate == segment.lead + segment.frames + segment.overlap_after + segment.trim
    assert min(segment.drop, segment.trim, segment.overlap, segment.overlap_after, segment.context) >= 0
    # What is mixed was given to the segment, as context or as the picture it begins with.
    assert segment.overlap <= segment.context or [p.at for p in segment.pictures[: segment.overlap]] == [0]
    assert segment.anchor is not None or segment.context in (segment.lead, 0)
    assert segment.redrawn_context in (segment.lead - (segment.anchor is not None), 0)
    assert segment.overlap_after <= segment.context_after
    assert segment.new_end + segment.context_after <= segment.generate
    assert all(0 <= picture.at < segment.generate for picture in segment.pictures)
    assert all(segment.lead <= place < segment.new_end for place in segment.bridging)
