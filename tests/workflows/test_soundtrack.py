"""Audio of planned videos."""

from __future__ import annotations

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
