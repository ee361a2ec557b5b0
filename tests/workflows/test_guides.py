"""Control videos and masks of planned segments."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clips import flat, moving
from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.media.clip import Frames
from wangp_cli.pipelines.denoise.inputs import Canvas
from wangp_cli.pipelines.wan.vace import control_and_mask
from wangp_cli.plan.edit import Portion, plan_edit
from wangp_cli.plan.join import Bridge, plan_join
from wangp_cli.plan.model import Plan
from wangp_cli.plan.travel import plan_travel
from wangp_cli.plan.windows import plan_windows
from wangp_cli.tasks.adjustments import ControlAdjustments, Fade
from wangp_cli.workflows.guides import Guide, KnownFrames, build_guide, ease, fit_image, image_to_video_inputs

FPS = Fraction(16)
WAN = Grid()
IMAGES = [flat(1, value, 2) for value in (0.0, 0.25, 0.75, 1.0)]


def travel(images: int, frames: list[int], overlaps: list[int], **more: Any) -> Plan:
    return plan_travel(images, frames, overlaps, grid=WAN, fps=FPS, **more)


def numbered(count: int, first: int = 1) -> Frames:
    """Frames of 2x2 whose value is their number in hundredths."""
    values = np.arange(first, first + count, dtype=np.float32) / 100
    return np.broadcast_to(values[:, None, None, None], (count, 2, 2, 3)).copy()


def shades(found: Guide) -> list[float]:
    assert np.ptp(found.control, axis=(1, 2, 3)).max() == 0
    return [round(float(value), 4) for value in found.control[:, 0, 0, 0]]


def kept(found: Guide) -> list[int]:
    assert set(np.unique(found.mask)) <= {0.0, 1.0}
    return [int(i) for i in np.flatnonzero(found.mask[:, 0, 0, 0] == 0)]


def test_the_first_segment_has_its_two_pictures() -> None:
    found = build_guide(travel(3, [81], [10]).segments[0], KnownFrames(pictures=IMAGES), (2, 2))
    assert shades(found) == [0.0] + [0.5] * 79 + [0.25]
    assert kept(found) == [0, 80]
    assert found.control.dtype == found.mask.dtype == np.float32
    assert found.mask.shape == (81, 2, 2, 1)


def test_a_chained_segment_has_the_frames_before_it() -> None:
    segment = travel(3, [81], [10]).segments[1]
    found = build_guide(segment, KnownFrames(pictures=IMAGES, context=numbered(12)), (2, 2))
    assert shades(found) == [i / 100 for i in range(1, 12)] + [0.25] + [0.5] * 80 + [0.75]
    assert kept(found) == [*range(12), 92]


def test_without_grid_rest_the_context_is_the_overlap() -> None:
    found = build_guide(
        travel(3, [81], [8]).segments[1], KnownFrames(pictures=IMAGES, context=numbered(8)), (2, 2)
    )
    assert kept(found) == [*range(8), 88]


def test_the_last_picture_is_held_where_unused_frames_follow() -> None:
    (segment,) = travel(3, [9], [0], longest=41).segments
    found = build_guide(segment, KnownFrames(pictures=IMAGES), (2, 2))
    assert kept(found) == [0, 8, 17, 18, 19, 20]
    assert shades(found)[17:] == [0.75] * 4
    # So is the last frame behind a gap between clips too short for the grid.
    (bridge,) = plan_join([1, 1], [Bridge(gap=4)], grid=WAN, fps=FPS).segments
    found = build_guide(bridge, KnownFrames(context=numbered(1), after=numbered(1, 9)), (2, 2))
    assert kept(found) == [0, 5, 6, 7, 8]
    # An open end stays open.
    (alone,) = travel(1, [9], [0], loop=False).segments
    assert kept(build_guide(alone, KnownFrames(pictures=IMAGES), (2, 2))) == [0]


def test_a_single_picture_leaves_the_end_open() -> None:
    found = build_guide(travel(1, [81], [0]).segments[0], KnownFrames(pictures=IMAGES), (2, 2))
    assert shades(found) == [0.0] + [0.5] * 80
    assert kept(found) == [0]


def test_independent_segments_begin_with_their_own_picture() -> None:
    found = build_guide(
        travel(3, [17], [0], mode="independent").segments[1], KnownFrames(pictures=IMAGES), (2, 2)
    )
    assert shades(found) == [0.25] + [0.5] * 15 + [0.75]


def test_keyframes_stand_inside_a_run() -> None:
    plan = travel(4, [17], [4], longest=81)
    found = build_guide(plan.segments[0], KnownFrames(pictures=IMAGES), (2, 2))
    assert len(found.control) == 53
    assert kept(found) == [0, 16, 33, *range(50, 53)]


def test_a_join_is_grey_between_its_contexts() -> None:
    segment = plan_join([100, 100], grid=WAN, fps=FPS).segments[0]
    found = build_guide(segment, KnownFrames(context=numbered(8), after=numbered(8, 31)), (2, 2))
    assert shades(found) == [i / 100 for i in range(1, 9)] + [0.5] * 53 + [i / 100 for i in range(31, 39)]
    assert kept(found) == [*range(8), *range(61, 69)]


def test_bridging_frames_stand_in_the_gap() -> None:
    segment = plan_join([100, 100], [Bridge(bridging=True)], grid=WAN, fps=FPS).segments[0]
    found = build_guide(segment, KnownFrames(context=numbered(8), after=numbered(8, 31)), (2, 2))
    assert kept(found) == [*range(8), 25, 43, *range(61, 69)]
    assert (shades(found)[25], shades(found)[43]) == (0.08, 0.31)


def test_the_control_video_lies_under_unknown_frames() -> None:
    segment = travel(3, [17], [4]).segments[1]
    motion = numbered(21, 13)
    found = build_guide(segment, KnownFrames(pictures=IMAGES, context=numbered(4, 60), motion=motion), (2, 2))
    assert shades(found) == [0.6, 0.61, 0.62, 0.25] + [i / 100 for i in range(17, 33)] + [0.75]
    assert kept(found) == [0, 1, 2, 3, 20]


def test_context_is_shown_weaker_paler_and_brighter() -> None:
    segment = travel(3, [17], [4]).segments[1]

    def first(**look: Any) -> list[float]:
        context = np.full((4, 2, 2, 3), (0.4, 0.2, 0.2), np.float32)
        found = build_guide(
            segment, KnownFrames(pictures=IMAGES, context=context), (2, 2), ControlAdjustments(**look)
        )
        assert kept(found) == [0, 1, 2, 3, 20]
        return [round(float(value), 3) for value in found.control[0, 0, 0]]

    assert first() == [0.4, 0.2, 0.2]
    assert first(strength=0.5) == [0.45, 0.35, 0.35]
    assert first(strength=0) == [0.5, 0.5, 0.5]
    assert first(brightness=0.5) == [0.6, 0.3, 0.3]
    assert first(saturation=0) == [0.243] * 3


def test_pictures_fade_into_the_frames_beside_them() -> None:
    segment = travel(2, [13], [0]).segments[0]
    pictures = [flat(1, 1, 2), flat(1, 0, 2)]
    look = ControlAdjustments(
        fade_out=Fade(share=0.37, curve="linear"), fade_in=Fade(share=0.19, curve="linear", high=0.8)
    )
    found = build_guide(segment, KnownFrames(pictures=pictures), (2, 2), look)
    # Eleven frames lie between: four fade out by 3/4, 2/4, 1/4, 0; two fade in by half of 0.8 and 0.8.
    assert shades(found) == [1, 0.875, 0.75, 0.625, 0.5] + [0.5] * 5 + [0.3, 0.1, 0.0]
    assert kept(found) == [0, 12]


@pytest.mark.parametrize(
    ("curve", "quarter", "half", "three"),
    [
        ("linear", 0.25, 0.5, 0.75),
        ("ease_in_quad", 0.0625, 0.25, 0.5625),
        ("ease_out_quad", 0.4375, 0.75, 0.9375),
        ("ease_in_out", 0.125, 0.5, 0.875),
        ("ease_in_cubic", 0.0156, 0.125, 0.4219),
        ("ease_in_out_cubic", 0.0625, 0.5, 0.9375),
        ("sine", 0.1464, 0.5, 0.8536),
        ("expo_in", 0.0055, 0.0312, 0.1768),
    ],
)
def test_curves_are_those_of_the_table(curve: Any, quarter: float, half: float, three: float) -> None:
    assert [ease(curve, time) for time in (0.25, 0.5, 0.75)] == pytest.approx(
        [quarter, half, three], abs=6e-5
    )
    assert (ease(curve, 0), ease(curve, 1)) == (0, 1)


@pytest.mark.parametrize("how", ["crop", "pad"])
def test_pictures_keep_their_shape(how: Any) -> None:
    disc = np.zeros((1, 64, 128, 3), np.float32)
    y, x = np.mgrid[:64, :128]
    disc[0][(y - 31.5) ** 2 + (x - 63.5) ** 2 < 20**2] = 1
    fitted = fit_image(disc, 96, 96, how)[0, :, :, 0]
    assert fitted.shape == (96, 96)
    assert (fitted[48] > 0.5).sum() == pytest.approx((fitted[:, 48] > 0.5).sum(), abs=2)
    assert fit_image(moving(1, channels=1), 16, 16).shape == (1, 16, 16, 3)
    assert fit_image(moving(1, channels=4), 16, 16).shape == (1, 16, 16, 3)


def test_vace_sees_zero_where_nothing_is_known() -> None:
    found = build_guide(
        travel(3, [17], [4]).segments[1], KnownFrames(pictures=IMAGES, context=numbered(4)), (2, 2)
    )
    video, mask = control_and_mask(found.inputs(FPS), Canvas(frames=21, width=2, height=2))
    assert torch.all(video[0, :, 4:20] == 0)
    assert mask[0, 0, :, 0, 0].tolist() == [0.0] * 4 + [1.0] * 16 + [0.0]


def test_image_models_get_frames_at_both_ends() -> None:
    inputs = image_to_video_inputs(
        travel(3, [17], [0], mode="independent").segments[1], KnownFrames(pictures=IMAGES), FPS, WAN
    )
    assert inputs.start is not None
    assert inputs.end is not None
    assert (float(inputs.start.frames.mean()), float(inputs.end.frames.mean())) == (0.25, 0.75)
    segment = plan_windows(161, window=81, overlap=5, grid=WAN, fps=FPS).segments[1]
    window = image_to_video_inputs(segment, KnownFrames(context=numbered(5)), FPS, WAN)
    assert window.start is not None
    assert len(window.start) == 5
    assert window.end is None


def test_image_models_refuse_what_they_cannot_take() -> None:
    known = KnownFrames(pictures=IMAGES, context=numbered(12))
    with pytest.raises(RequestError, match="overlap: 12 frames to begin with, but this model takes 1, 5, "):
        image_to_video_inputs(travel(3, [81], [10]).segments[1], known, FPS, WAN)
    with pytest.raises(RequestError, match="model: takes frames at both ends alone"):
        image_to_video_inputs(
            travel(4, [17], [4], longest=81).segments[0], KnownFrames(pictures=IMAGES), FPS, WAN
        )


def test_what_is_missing_is_named() -> None:
    segment = travel(3, [81], [10]).segments[1]
    with pytest.raises(RequestError, match="context: 0 frames, the plan has 12"):
        build_guide(segment, KnownFrames(pictures=IMAGES), (2, 2))
    with pytest.raises(RequestError, match="images: 1 given, the plan has number 1"):
        build_guide(segment, KnownFrames(pictures=IMAGES[:1], context=numbered(12)), (2, 2))


@given(st.data())
def test_masks_keep_exactly_what_is_known(data: st.DataObject) -> None:
    length = data.draw(st.integers(3, 60))
    first = data.draw(st.integers(0, length - 2))
    last = data.draw(st.integers(first, length - 1 - (first == 0)))
    plan = plan_edit(length, [Portion(first=first, last=last)], grid=WAN, fps=FPS)
    (segment,) = plan.segments
    clip = numbered(length, 0)
    known = KnownFrames(
        context=clip[first - segment.context : first], after=clip[last + 1 : last + 1 + segment.context_after]
    )
    found = build_guide(segment, known, (2, 2))
    outside = [place for place in range(segment.generate) if not segment.lead <= place < segment.new_end]
    wanted = [place for place in outside if place < segment.new_end + segment.context_after]
    held = [place for place in outside if segment.context_after and place not in wanted]
    assert kept(found) == [*wanted, *held]
    assert {shades(found)[place] for place in held} <= {shades(found)[wanted[-1]]}
    assert [shades(found)[place] for place in wanted] == [
        round((segment.generate_start + place) / 100, 4) for place in wanted
    ]
