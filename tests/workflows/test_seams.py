"""Parts of plans put together."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clips import moving
from wangp_cli.errors import GenerationError
from wangp_cli.grid import Grid
from wangp_cli.media.blend import crossfade
from wangp_cli.media.clip import Frames, as_float, chunks
from wangp_cli.plan.edit import Portion, plan_edit
from wangp_cli.plan.join import Bridge, plan_join
from wangp_cli.plan.model import KeptRange, Plan, Segment
from wangp_cli.plan.travel import plan_travel
from wangp_cli.plan.windows import plan_windows
from wangp_cli.workflows.guides import GREY, KnownFrames, build_guide
from wangp_cli.workflows.seams import Splicer, match_segment_colours, stitch

FPS = Fraction(16)
WAN = Grid()


def values(*numbers: float) -> Frames:
    """Frames of one pixel."""
    return np.array(numbers, np.float32).reshape(-1, 1, 1, 1)


def row(pieces: Iterable[Frames]) -> list[float]:
    return [round(float(value), 4) for piece in pieces for value in piece[:, 0, 0, 0]]


@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_a_seam_is_the_crossfade_in_pieces_of_any_length(length: int) -> None:
    left, right = moving(9), moving(8)[:, ::-1]
    splicer = Splicer(6, sharpen=0.3)
    parts = [*splicer.add(chunks(left, length)), *splicer.add(chunks(right, length), 4)]
    assert splicer.total == 13
    assert np.array_equal(splicer.tail(5), as_float(right)[-5:])
    joined = np.concatenate([*parts, *splicer.finish()])
    old, new = as_float(left), as_float(right)
    mixed = crossfade(old[-4:], new[:4], sharpen=0.3)
    assert np.array_equal(joined, np.concatenate([old[:-4], mixed, new[4:]]))


@pytest.mark.parametrize(
    ("overlap", "wanted"), [(4, [185, 150, 114, 100]), (8, [196, 185, 169, 150, 130, 114, 103, 100])]
)
def test_plane_frames_follow_the_table(overlap: int, wanted: list[int]) -> None:
    splicer = Splicer(8)
    pieces = [*splicer.add([np.full((8, 1, 1, 3), 200, np.uint8)])]
    pieces += splicer.add([np.full((8, 1, 1, 3), 100, np.uint8)], overlap)
    shades = np.concatenate([*pieces, *splicer.finish()])[8 - overlap : 8, 0, 0, 0] * 255
    assert [int(shade + 1e-3) for shade in shades] == wanted


def test_frames_are_given_out_once_nothing_can_change_them() -> None:
    splicer = Splicer(2)
    assert row(splicer.add([values(1, 2), values(3), values(4)])) == [1, 2]
    assert row(splicer.add([values(5)])) == [3]
    assert row(splicer.finish()) == [4, 5]


def test_a_part_shorter_than_its_seam_is_an_error() -> None:
    splicer = Splicer(4)
    assert row(splicer.add([values(1, 2)])) == []
    with pytest.raises(GenerationError, match="a crossfade of 3 frames with a clip of 2"):
        list(splicer.add([values(1, 2, 3)], 3))
    with pytest.raises(GenerationError, match="a crossfade of 2 frames with a clip of 1"):
        list(splicer.add([values(1)], 2))


def travel(images: int, frames: list[int], overlaps: list[int], **more: Any) -> Plan:
    return plan_travel(images, frames, overlaps, grid=WAN, fps=FPS, **more)


def test_segments_land_where_the_plan_says() -> None:
    plan = travel(3, [9], [2])

    def make(segment: Segment, context: Frames | None) -> Iterator[Frames]:
        if segment.index:
            assert context is not None
            assert row([context]) == [0.5, 0.6, 0.7, 0.8]
        yield values(*((segment.index + i / 10) for i in range(segment.generate)))

    joined = row(stitch(plan, lambda _: [], make))
    assert joined[:7] == [i / 10 for i in range(7)]
    assert joined[7] == pytest.approx((0.7 + 1.2) / 2)
    assert joined[8:] == [round(1 + i / 10, 4) for i in range(3, 13)]
    assert len(joined) == plan.total == 18


def test_a_wrong_number_of_frames_is_an_error() -> None:
    plan = travel(2, [9], [0])
    with pytest.raises(GenerationError, match="segment 0 has 8 frames, planned were 9"):
        list(stitch(plan, lambda _: [], lambda *_: [values(*range(8))]))
    with pytest.raises(GenerationError, match="clip 0 has 4 frames, planned were 5"):
        list(stitch(travel(0, [9], [2], before=5), lambda _: [values(1, 2, 3, 4)], lambda *_: []))


def test_a_replacing_join_changes_nothing_outside_its_range() -> None:
    plan = plan_join([20, 20], [Bridge(gap=9, context=3, replace=True)], grid=WAN, fps=FPS)
    clips = [moving(20), moving(20)[:, ::-1]]
    (segment,) = plan.segments
    noise = np.random.default_rng(0).random((segment.generate, 48, 64, 3), np.float32)
    joined = np.concatenate(
        list(
            stitch(plan, lambda part: chunks(clips[part.clip][part.first : part.end], 3), lambda *_: [noise])
        )
    )
    first, end = segment.changed_range
    whole = as_float(np.concatenate([clips[0], clips[1]]))
    assert len(joined) == 40
    assert np.array_equal(joined[:first], whole[:first])
    assert np.array_equal(joined[end - 1 :], whole[end - 1 :])
    assert np.array_equal(joined[segment.start : segment.start + 9], noise[segment.lead : segment.new_end])


plans = st.one_of(
    st.builds(
        lambda lengths, gap, context, replace, loop: (
            lengths,
            plan_join(
                lengths,
                [Bridge(gap=gap, context=context, replace=replace)],
                grid=WAN,
                fps=FPS,
                loop=loop,
            ),
        ),
        st.lists(st.integers(14, 30), min_size=2, max_size=4),
        st.integers(0, 12),
        st.integers(1, 9),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        lambda images, frames, overlap, mode, loop, longest: (
            [0],
            travel(images, [frames], [overlap], mode=mode, loop=loop, longest=longest),
        ),
        st.integers(2, 5),
        st.integers(3, 30),
        st.integers(0, 20),
        st.sampled_from(["chained", "independent"]),
        st.booleans(),
        st.sampled_from([None, 81]),
    ),
    st.builds(
        lambda images, frames, overlap, before: (
            [before],
            travel(images, [frames], [overlap], before=before),
        ),
        st.integers(0, 4),
        st.integers(3, 30),
        st.integers(0, 20),
        st.integers(1, 30),
    ),
    st.builds(
        lambda length, first, count, keep_ends: (
            [length],
            plan_edit(
                length, [Portion(first=first, last=first + count)], grid=WAN, fps=FPS, keep_ends=keep_ends
            ),
        ),
        st.integers(40, 60),
        st.integers(0, 20),
        st.integers(2, 19),
        st.booleans(),
    ),
    st.builds(
        lambda frames, overlap, discard: (
            [0],
            plan_windows(frames, window=33, overlap=overlap, discard=discard, grid=WAN, fps=FPS),
        ),
        st.integers(1, 150),
        st.integers(1, 9),
        st.integers(0, 8),
    ),
)


@settings(deadline=None)
@given(plans, st.integers(1, 7))
def test_a_model_that_returns_its_guide_makes_exactly_the_plan(
    planned: tuple[list[int], Plan], length: int
) -> None:
    lengths, plan = planned
    clips = [np.full((n, 1, 1, 3), 0.1 * (i + 1), np.float32) for i, n in enumerate(lengths)]
    pictures = [np.full((1, 1, 1, 3), 0.9 - 0.01 * i, np.float32) for i in range(len(plan.anchors))]
    following = {part.start: part for part in plan.kept}

    def make(segment: Segment, context: Frames | None) -> Iterator[Frames]:
        after = None
        if segment.context_after:
            part = following.get(segment.start + segment.frames, plan.kept[0])
            after = clips[part.clip][part.first : part.first + segment.context_after]
        known = KnownFrames(pictures=pictures, context=context, after=after)
        yield from chunks(build_guide(segment, known, (1, 1)).control, length)

    def keep(part: KeptRange) -> Iterator[Frames]:
        return chunks(clips[part.clip][part.first : part.end], length)

    video = np.concatenate(list(stitch(plan, keep, make)))[:, 0, 0, 0]
    assert len(video) == plan.total
    for image, frame in enumerate(plan.anchors):
        assert video[frame] == pytest.approx(pictures[image][0, 0, 0, 0], abs=1e-6)
    for part in plan.kept:
        assert video[part.start : part.start + part.frames] == pytest.approx(0.1 * (part.clip + 1), abs=1e-6)
    known = {*plan.anchors, *(f for part in plan.kept for f in range(part.start, part.start + part.frames))}
    repeated = {s.generate_start + p.at for s in plan.segments for p in s.pictures}
    new = [frame for frame in range(plan.total) if frame not in known | repeated]
    assert video[new] == pytest.approx(GREY, abs=1e-6)


def test_a_join_takes_its_colours_from_both_clips() -> None:
    segment = plan_join([40, 40], [Bridge(gap=9, context=4)], grid=WAN, fps=FPS).segments[0]
    clip = as_float(moving(segment.generate, 12, 8)) * 0.4 + 0.2
    known = KnownFrames(context=clip[: segment.context], after=clip[-segment.context_after :])
    tinted = clip + np.array([0.03, -0.02, 0.03], np.float32)
    matched = np.concatenate(list(match_segment_colours(tinted, segment, known)))
    assert np.abs(matched - clip).mean() < np.abs(tinted - clip).mean() / 4
    assert np.abs(matched[: segment.lead] - clip[: segment.lead]).max() < 0.02
    assert np.array_equal(np.concatenate(list(match_segment_colours(tinted, segment, known, 0))), tinted)


def test_a_held_image_is_the_last_frame_that_shows_it_and_bad_ends_do_not_count() -> None:
    plan = travel(3, [9], [0], longest=41)
    (segment,) = plan.segments
    assert (segment.held, segment.generate) == (17, 21)
    frames = as_float(moving(21, 12, 8)) * 0.4 + 0.2
    frames[18:] = frames[8]
    pictures = [frames[at : at + 1].copy() for at in (0, 8, 20)]
    given = frames.copy()
    matched = np.concatenate(list(match_segment_colours(frames, segment, KnownFrames(pictures=pictures))))
    assert np.array_equal(frames, given)
    assert np.abs(matched[17] - frames[20]).max() < 0.01
    # The end is drawn in wrong colours: those of the beginning count for all frames.
    frames[17:] = frames[17:, ..., ::-1] * 0.1
    matched = np.concatenate(list(match_segment_colours(frames, segment, KnownFrames(pictures=pictures))))
    assert np.abs(matched[:17] - frames[:17]).max() < 0.01


def test_a_segment_that_was_shown_nothing_stays() -> None:
    segment = plan_windows(33, window=33, overlap=1, grid=WAN, fps=FPS).segments[0]
    frames = as_float(moving(33, 12, 8))
    assert np.array_equal(np.concatenate(list(match_segment_colours(frames, segment, KnownFrames()))), frames)


def test_memory_does_not_grow_with_the_video() -> None:
    frame = np.zeros((1, 64, 64, 3), np.float32)

    def peak(segments: int) -> int:
        plan = travel(segments + 1, [17], [4])
        tracemalloc.start()
        pieces = stitch(plan, lambda _: [], lambda part, _: (frame.copy() for _ in range(part.generate)))
        count = sum(len(piece) for piece in pieces)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == plan.total == segments * 17
        return most

    assert peak(20) < peak(4) + 5 * frame.nbytes
