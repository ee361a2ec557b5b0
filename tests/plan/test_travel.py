"""Travel between images."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plan_checks import check, sentences
from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.plan.model import Plan
from wangp_cli.plan.travel import plan_travel

FREE = Grid(minimum=1)
WAN = Grid()
LTX = Grid(step=8, minimum=17, block=32)


def travel(images: int, frames: list[int], overlaps: list[int], grid: Grid = FREE, **more: Any) -> Plan:
    return plan_travel(images, frames, overlaps, grid=grid, fps=Fraction(16), **more)


def column(plan: Plan, name: str) -> list[int]:
    return [getattr(segment, name) for segment in plan.segments]


# Frames, overlaps; then total, starts, overlaps, generated and dropped frames by the exact rule.
TABLE = [
    ([81] * 5, [10] * 4, 405, [0, 81, 162, 243, 324], [0, 10, 10, 10, 10], [81, 93, 93, 93, 93], [2] * 4),
    ([80, 83, 84, 100], [11, 12, 200], 348, [0, 81, 162, 247], [0, 10, 12, 85], [81, 93, 97, 189], [2, 0, 3]),
    ([25, 29, 25], [4, 4], 79, [0, 25, 54], [0, 4, 4], [25, 33, 29], [0, 0]),
    ([81, 81], [8], 162, [0, 81], [0, 8], [81, 89], [0]),
    ([81, 81], [16], 162, [0, 81], [0, 16], [81, 97], [0]),
    ([61, 45, 73], [10, 10], 179, [0, 61, 106], [0, 10, 10], [61, 57, 85], [2, 2]),
    ([17, 3, 81], [20, 20], 99, [0, 17, 18], [0, 1, 1], [17, 5, 85], [3, 3]),
    ([81] * 3, [10, 0], 243, [0, 81, 162], [0, 10, 0], [81, 93, 81], [2, 0]),
]


@pytest.mark.parametrize(("frames", "overlaps", "total", "starts", "kept", "made", "dropped"), TABLE)
def test_each_segment_adds_exactly_its_frames(
    frames: list[int],
    overlaps: list[int],
    total: int,
    starts: list[int],
    kept: list[int],
    made: list[int],
    dropped: list[int],
) -> None:
    plan = travel(len(frames) + 1, frames, overlaps)
    assert plan.total == total
    assert column(plan, "start") == starts
    assert column(plan, "overlap") == kept
    assert column(plan, "generate") == made
    assert column(plan, "drop") == [0, *dropped]
    assert plan.anchors == (0, *(start + frames - 1 for start, frames in _ends(plan)))
    check(plan, FREE)


def _ends(plan: Plan) -> list[tuple[int, int]]:
    return [(segment.start, segment.frames) for segment in plan.segments]


def test_the_worked_example_has_its_anchors_where_the_rule_says() -> None:
    plan = travel(6, [81], [10], WAN)
    assert plan.anchors == (0, 80, 161, 242, 323, 404)
    assert column(plan, "context") == [0, 12, 12, 12, 12]
    assert column(plan, "trim") == [0] * 5
    assert [[picture.at for picture in segment.pictures] for segment in plan.segments] == [
        [0, 80], [11, 92], [11, 92], [11, 92], [11, 92],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "snapped"), [(80, 81), (81, 81), (83, 81), (84, 85), (100, 101), (3, 1), (2, 1)]
)
def test_frames_are_set_on_the_grid_and_said(asked: int, snapped: int) -> None:
    plan = travel(1, [asked], [0])
    assert plan.total == snapped
    assert sentences(plan) == (
        () if asked == snapped else (f"frames: {asked} became {snapped}, which the model can make",)
    )


def test_changed_overlaps_are_said_once() -> None:
    assert sentences(travel(5, [81], [11])) == ("overlap: 11 became 10, an even number",)
    assert sentences(travel(3, [17], [40])) == ("overlap: 40 became 17, the length of the shorter neighbour",)
    assert sentences(travel(2, [17], [8])) == ("overlap: one segment has no seam",)


def test_svi_is_an_overlap_of_four() -> None:
    plan = travel(5, [81], [4], WAN)
    assert column(plan, "generate") == [81, 85, 85, 85]
    assert column(plan, "overlap") == [0, 4, 4, 4]
    assert plan.total == 324


def test_svi_holds_on_to_a_picture_and_shows_the_motion_before() -> None:
    plan = travel(3, [81, 41], [0], WAN, mode="svi")
    assert (plan.total, plan.anchors) == (122, (0, 80, 121))
    first, second = plan.segments
    assert (first.generate, first.context, first.anchor, first.lead) == (81, 0, 0, 0)
    assert [(picture.image, picture.at) for picture in first.pictures] == [(0, 0), (1, 80)]
    # A first frame for the anchor, a latent frame of motion, and all that the grid asks for.
    assert (second.generate, second.context, second.anchor) == (49, 9, 1)
    assert (second.drop, second.overlap, second.trim, second.redrawn_context) == (1, 4, 3, 4)
    # The end picture begins a latent frame, so that it can fill it.
    assert [(picture.image, picture.at) for picture in second.pictures] == [(2, 45)]
    check(plan, WAN)


def test_svi_from_one_picture_holds_on_to_it_throughout() -> None:
    plan = travel(1, [5, 9, 9], [], WAN, mode="svi", ends=False)
    assert [segment.anchor for segment in plan.segments] == [0, 0, 0]
    # Nine frames of motion, or as many as there are.
    assert column(plan, "context") == [0, 5, 9]
    assert plan.total == 23
    check(plan, WAN)


def test_svi_continues_a_video_and_closes_a_circle() -> None:
    plan = travel(2, [9], [], WAN, mode="svi", before=7)
    assert [segment.anchor for segment in plan.segments] == [-1, 0]
    assert (plan.anchors, plan.total, column(plan, "context")) == ((15, 24), 25, [5, 9])
    check(plan, WAN, [7])
    plan = travel(2, [9], [], WAN, mode="svi", loop=True)
    assert (plan.total, column(plan, "trim")) == (17, [0, 4])
    check(plan, WAN)


@pytest.mark.parametrize(
    ("images", "more", "message"),
    [
        (2, {"ends": False}, "2, but SVI takes 1 with a model that takes no end image"),
        (1, {"ends": False, "before": 9}, "1, but SVI takes 0"),
        (0, {"before": 4}, "4 frames, SVI goes on from 5 or more"),
    ],
)
def test_what_svi_cannot_go_by_is_refused(images: int, more: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        travel(images, [9], [], WAN, mode="svi", **more)


def test_without_overlap_a_segment_begins_with_its_picture() -> None:
    plan = travel(3, [81], [0], WAN)
    assert [(picture.image, picture.at) for picture in plan.segments[1].pictures] == [(1, 0), (2, 80)]
    assert column(plan, "context") == [0, 0]


def test_independent_segments_share_the_picture_between_them() -> None:
    plan = travel(5, [81], [0], WAN, mode="independent")
    assert column(plan, "generate") == [81] * 4
    assert column(plan, "context") == [0] * 4
    assert column(plan, "drop") == [0] * 4
    assert column(plan, "overlap") == [0, 1, 1, 1]
    assert plan.total == 321
    assert plan.anchors == (0, 80, 160, 240, 320)
    assert [(picture.image, picture.at) for picture in plan.segments[2].pictures] == [(2, 0), (3, 80)]
    check(plan, WAN)


def test_a_continued_video_comes_first_and_gives_context() -> None:
    plan = travel(2, [81], [10], WAN, before=33)
    assert plan.total == 33 + 81 + 81
    assert plan.anchors == (33 + 80, 33 + 161)
    assert column(plan, "context") == [12, 12]
    assert [part.start for part in plan.parts] == [0, 33, 114]
    check(plan, WAN, [33])


def test_a_video_is_continued_without_pictures_or_overlap() -> None:
    plan = travel(0, [81, 49], [0], WAN, before=33)
    assert plan.total == 163
    assert column(plan, "context") == [4, 4]
    assert column(plan, "drop") == [4, 4]
    check(plan, WAN, [33])
    alone = travel(1, [81], [0], WAN, before=33, mode="independent")
    assert column(alone, "context") == [1]
    assert alone.total == 33 + 80


def test_a_short_video_is_continued_with_what_it_has() -> None:
    plan = travel(1, [81], [10], WAN, before=3)
    assert (column(plan, "context"), column(plan, "overlap")) == ([3], [0])
    assert column(plan, "trim") == [1]
    assert plan.anchors == (83,)
    assert sentences(plan) == ("overlap: 10 became 3, the length of the shorter neighbour",)


def test_a_single_picture_begins_and_nothing_ends() -> None:
    plan = travel(1, [81], [0], WAN)
    assert [(picture.image, picture.at) for picture in plan.segments[0].pictures] == [(0, 0)]
    chain = travel(1, [81, 81], [8], WAN)
    assert chain.segments[1].pictures == ()
    assert chain.total == 162


def test_a_loop_ends_one_frame_before_its_first_picture() -> None:
    plan = travel(3, [81], [10], WAN, loop=True)
    assert plan.total == 242
    assert plan.anchors == (0, 80, 161)
    last = plan.segments[-1]
    assert (last.frames, last.trim) == (80, 1)
    assert [(picture.image, last.generate_start + picture.at) for picture in last.pictures] == [
        (2, 161), (0, 242),
    ]  # fmt: skip
    check(plan, WAN)


def test_keyframes_are_put_together_into_longer_runs() -> None:
    apart = travel(6, [21, 21, 21, 33, 21], [8], WAN)
    plan = travel(6, [21, 21, 21, 33, 21], [8], WAN, longest=81)
    assert column(plan, "generate") == [65, 65]
    assert column(plan, "frames") == [63, 54]
    assert plan.total == apart.total == 117
    assert plan.anchors == apart.anchors == (0, 20, 41, 62, 95, 116)
    assert [(picture.image, picture.at) for picture in plan.segments[0].pictures] == [
        (0, 0), (1, 20), (2, 41), (3, 62),
    ]  # fmt: skip
    check(plan, WAN)


def test_a_run_may_have_images_at_the_ends_of_latent_frames_alone() -> None:
    plan = travel(5, [9, 9, 9, 13], [0], WAN, longest=81, images_end_latents=True)
    assert [segment.portions for segment in plan.segments] == [(0, 1), (2, 3)]
    assert plan.anchors == (0, 8, 17, 26, 39)
    assert [[picture.at for picture in segment.pictures] for segment in plan.segments] == [
        [0, 8, 17], [0, 8, 21],
    ]  # fmt: skip
    check(plan, WAN)
    with_context = travel(4, [9], [4], WAN, longest=81, images_end_latents=True)
    assert [segment.portions for segment in with_context.segments] == [(0, 1), (2,)]


def test_another_grid_plans_by_the_same_rule() -> None:
    plan = travel(3, [97], [10], LTX)
    assert column(plan, "generate") == [97, 113]
    assert column(plan, "context") == [0, 16]
    assert column(plan, "drop") == [0, 6]
    assert plan.anchors == (0, 96, 193)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": 0}, "images: none"),
        ({"images": 4, "frames": [81, 81]}, "frames: 2 values, wanted 1 or 3, one for each segment"),
        ({"images": 4, "overlaps": [8, 8, 8]}, "overlap: 3 values, wanted 1 or 2, one for each seam"),
        ({"frames": [1]}, "frames: 1, a segment has 2 or more"),
        ({"overlaps": [-2]}, "overlap: -2"),
        ({"before": 9, "loop": True}, "loop: "),
        ({"before": -1}, "video_source: -1"),
        ({"images": 2, "frames": [2], "grid": FREE}, "frames: segment 0 is too short for its images"),
    ],
)
def test_what_cannot_be_planned_is_named(arguments: dict[str, Any], message: str) -> None:
    numbers: dict[str, Any] = {"images": 3, "frames": [81], "overlaps": [8]}
    said = numbers | {"grid": WAN, "fps": Fraction(16)} | arguments
    with pytest.raises(RequestError, match=f"^{message}"):
        plan_travel(**said)


@given(st.data())
def test_every_travel_is_what_its_plan_says(data: st.DataObject) -> None:
    grid = data.draw(st.sampled_from([WAN, LTX, Grid(minimum=17)]))
    mode = data.draw(st.sampled_from(["chained", "independent"]))
    loop = data.draw(st.booleans())
    before = 0 if loop else data.draw(st.sampled_from([0, 0, 1, 2, 5, 40]))
    images = data.draw(st.integers(0 if before else 1, 6))
    if not images or (images == 1 and not before and not loop):
        count = data.draw(st.integers(1, 4))
    else:
        count = images if before or loop else images - 1
    frames = data.draw(st.lists(st.integers(2, 120), min_size=count, max_size=count))
    seams = max(count - (not before), 1)
    overlaps = data.draw(st.lists(st.integers(0, 60), min_size=seams, max_size=seams))
    longest = data.draw(st.sampled_from([None, 81, 161]))
    plan = travel(images, frames, overlaps, grid, mode=mode, before=before, loop=loop, longest=longest)
    check(plan, grid, [before])
    lengths = [grid.frames(f) for f in frames]
    shared = count - (not before) if mode == "independent" else 0
    assert plan.total == before + sum(lengths) - shared - loop
    assert len(plan.anchors) == images
    assert list(plan.anchors) == sorted(plan.anchors)
    if mode == "chained" and not before:
        ends = [sum(lengths[: k + 1]) - 1 for k in range(count)]
        assert list(plan.anchors) == [0, *ends][:images]
    if images > 1 and not loop:
        assert plan.anchors[-1] == plan.total - 1
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
