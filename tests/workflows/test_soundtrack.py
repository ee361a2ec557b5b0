"""Audio of planned videos."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from wangp_cli.grid import Grid
from wangp_cli.media.clip import Audio
from wangp_cli.plan.edit import Portion, plan_edit
from wangp_cli.plan.join import Bridge, plan_join
from wangp_cli.plan.model import Plan
from wangp_cli.workflows.soundtrack import plan_audio

FPS = Fraction(24000, 1001)
RATE = 8000


def tone(frames: int, seed: int, *, rate: int = RATE, channels: int = 1) -> tuple[Audio, int]:
    samples = np.random.default_rng(seed).uniform(-1, 1, (round(frames * rate / FPS), channels))
    return Audio(samples=samples.astype(np.float32), rate=rate), frames


def at(frame: int) -> int:
    return round(frame * RATE / FPS)


def joined(mode: str, gap: int = 7, *, loop: bool = False) -> Plan:
    bridge = Bridge(gap=gap, context=3, replace=mode == "replace")
    return plan_join([20, 30], [bridge], grid=Grid(), fps=FPS, loop=loop)


@pytest.mark.parametrize("spans", ["crossfade", "silence"])
@pytest.mark.parametrize("mode", ["insert", "replace"])
def test_kept_frames_keep_their_sound(mode: str, spans: str) -> None:
    plan, clips = joined(mode), [tone(20, 0), tone(30, 1)]
    sound = plan_audio(plan, clips, spans)  # type: ignore[arg-type]
    assert sound is not None
    assert len(sound.samples) == at(plan.total)
    for part in plan.kept:
        length = at(part.start + part.frames) - at(part.start)
        given = clips[part.clip][0].samples[at(part.first) :][:length]
        # The last sample of a clip may be rounded away.
        assert np.array_equal(sound.samples[at(part.start) :][: len(given)], given)
    (segment,) = plan.segments
    span = sound.samples[at(segment.start) : at(segment.start + segment.frames)]
    assert span.any() == (spans == "crossfade")


def test_what_is_replaced_is_heard_again_as_one_clip_fades_into_the_other() -> None:
    plan, clips = joined("replace"), [tone(20, 0), tone(30, 1)]
    sound = plan_audio(plan, clips, "crossfade")
    assert sound is not None
    (segment,) = plan.segments
    first = at(segment.start)
    left = clips[0][0].samples[at(plan.kept[0].end) :]
    assert sound.samples[first] == pytest.approx(left[0], abs=1e-3)


def test_an_edit_of_the_same_length_keeps_the_sound_bit_for_bit() -> None:
    plan = plan_edit(30, [Portion(first=5, last=9), Portion(first=20, last=29)], grid=Grid(), fps=FPS)
    audio, frames = tone(30, 2, channels=2)
    sound = plan_audio(plan, [(audio, frames)], "crossfade")
    assert sound is not None
    assert np.array_equal(sound.samples, audio.samples)


def test_silent_clips_and_other_rates_come_together() -> None:
    plan = joined("insert", loop=True)
    sound = plan_audio(plan, [(None, 20), tone(30, 1, rate=RATE // 2, channels=2)], "crossfade")
    assert sound is not None
    assert (sound.rate, sound.samples.shape) == (4000, (round(plan.total * 4000 / FPS), 2))
    assert not sound.samples[: round(20 * 4000 / FPS)].any()
    assert plan_audio(plan, [(None, 20), (None, 30)], "crossfade") is None


def generated(plan: Plan, index: int, value: float, *, rate: int = RATE, channels: int = 1) -> Audio:
    """Audio of one value, as long as the generated frames of a segment."""
    count = round(plan.segments[index].generate * rate / FPS)
    return Audio(samples=np.full((count, channels), value, np.float32), rate=rate)


def test_generated_audio_is_crossfaded_in_the_frames_of_a_seam_alone() -> None:
    plan, clips = joined("insert"), [tone(20, 0), tone(30, 1)]
    (segment,) = plan.segments
    sound = plan_audio(plan, clips, "crossfade", {0: generated(plan, 0, 0.5)})
    assert sound is not None
    samples = sound.samples[:, 0]
    assert len(samples) == at(plan.total)
    first, last = (
        at(segment.start - segment.overlap),
        at(segment.start + segment.frames + segment.overlap_after),
    )
    assert np.array_equal(samples[:first], clips[0][0].samples[:first, 0])
    after = clips[1][0].samples[at(segment.overlap_after) :, 0][: len(samples) - last]
    assert np.array_equal(samples[last:][: len(after)], after)
    assert (samples[at(segment.start) : at(segment.start + segment.frames)] == 0.5).all()
    weights = (
        1 - np.cos(np.pi * (np.arange(at(segment.start) - first) + 0.5) / (at(segment.start) - first))
    ) / 2
    old = clips[0][0].samples[first : at(segment.start), 0]
    assert samples[first : at(segment.start)] == pytest.approx(old + (0.5 - old) * weights, abs=1e-6)


def test_generated_audio_of_another_rate_is_resampled_and_mixed_to_the_channels_of_all() -> None:
    plan, clips = joined("insert"), [tone(20, 0, rate=2 * RATE, channels=2), (None, 30)]
    (segment,) = plan.segments
    sound = plan_audio(plan, clips, "silence", {0: generated(plan, 0, 0.25)})
    assert sound is not None
    assert (sound.rate, sound.samples.shape) == (2 * RATE, (round(plan.total * 2 * RATE / FPS), 2))
    inner = slice(round((segment.start + 1) * 2 * RATE / FPS), round((segment.start + 5) * 2 * RATE / FPS))
    assert sound.samples[inner] == pytest.approx(0.25, abs=1e-2)


def test_a_segment_without_generated_audio_is_filled_from_its_neighbours() -> None:
    plan = plan_edit(40, [Portion(first=5, last=9), Portion(first=20, last=24)], grid=Grid(), fps=FPS)
    audio, frames = tone(40, 2)
    sound = plan_audio(plan, [(audio, frames)], "crossfade", {0: generated(plan, 0, 0.5)})
    assert sound is not None
    assert (sound.samples[at(5) : at(10)] == 0.5).all()
    assert np.array_equal(sound.samples[at(20) :], audio.samples[at(20) :])


def test_the_widest_layout_is_kept_and_one_channel_goes_to_its_centre() -> None:
    plan = joined("insert")
    (mono, _), (surround, _) = tone(20, 0), tone(30, 1, channels=6)
    side = replace(surround, layout="5.1(side)")
    sound = plan_audio(plan, [(mono, 20), (side, 30)], "silence")
    assert sound is not None
    assert sound.layout == "5.1(side)"
    assert np.array_equal(sound.samples[: at(10), 2], mono.samples[: at(10), 0])
    assert not sound.samples[: at(10), [0, 1, 3, 4, 5]].any()
