"""Sound in step with frames."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clips import tone
from wangp_cli.media.audio import cut, fit_frames, fit_samples, join, resample, samples_at, silence
from wangp_cli.media.clip import Audio

RATES = st.sampled_from([8000, 22050, 44100, 48000])
SPEEDS = st.sampled_from([Fraction(16), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25, 2)])


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), RATES, SPEEDS)
def test_pieces_cut_by_frames_are_the_whole_again(lengths: list[int], rate: int, fps: Fraction) -> None:
    total = sum(lengths)
    count = samples_at(total, rate, fps)
    whole = Audio(samples=np.arange(count, dtype=np.float32)[:, None], rate=rate)
    starts = np.cumsum([0, *lengths])
    pieces = [cut(whole, fps, start=int(s), frames=n) for s, n in zip(starts, lengths, strict=False)]
    assert np.array_equal(np.concatenate([piece.samples for piece in pieces]), whole.samples)


@given(st.integers(0, 9000), st.integers(0, 60), RATES, SPEEDS)
def test_sound_fits_its_frames_whatever_it_was(have: int, frames: int, rate: int, fps: Fraction) -> None:
    sound = Audio(samples=np.ones((have, 2), np.float32), rate=rate)
    fitted = fit_frames(sound, frames, fps)
    wanted = samples_at(frames, rate, fps)
    assert fitted.samples.shape == (wanted, 2)
    assert fitted.samples[:, 0].sum() == min(have, wanted)


def test_cut_without_a_count_goes_to_the_end() -> None:
    sound = tone(1, 8000)
    assert np.array_equal(cut(sound, Fraction(10), start=3).samples, sound.samples[2400:])


@given(st.integers(1, 3000), RATES, RATES)
def test_resampling_keeps_the_length_in_seconds(count: int, old: int, new: int) -> None:
    sound = resample(Audio(samples=np.zeros((count, 2), np.float32), rate=old), new)
    assert sound.samples.shape == (round(Fraction(count * new, old)), 2)


def test_resampling_keeps_the_wave_and_its_place() -> None:
    back = resample(tone(0.5, 44100, 2), 48000)
    ideal = tone(0.5, 48000, 2)
    assert np.abs(back.samples - ideal.samples)[500:-500].max() < 0.01


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), min_size=1, max_size=5), SPEEDS)
def test_joined_sound_is_as_long_as_the_joined_frames(parts: list[tuple[bool, int]], fps: Fraction) -> None:
    sound = join([(tone(0.3, 8000) if heard else None, frames) for heard, frames in parts], fps)
    if not any(heard for heard, _ in parts):
        assert sound is None
        return
    assert sound is not None
    assert len(sound.samples) == samples_at(sum(frames for _, frames in parts), 8000, fps)


def test_a_silent_clip_between_two_loud_ones_stays_silent() -> None:
    loud = Audio(samples=np.ones((800, 1), np.float32), rate=8000)
    stereo = Audio(samples=np.ones((4410, 2), np.float32), rate=44100)
    sound = join([(loud, 1), (None, 1), (stereo, 1)], Fraction(10))
    assert sound is not None
    assert (sound.rate, sound.samples.shape) == (44100, (13230, 2))
    assert sound.samples[4410:8820].max() == 0
    assert sound.samples[8820:].min() == 1
    assert sound.samples[200:4200].min() > 0.99


def test_silence_and_padding_are_zero() -> None:
    assert not silence(5, "stereo", 8000).samples.any()
    assert fit_samples(tone(0.1, 8000), 900).samples[800:].any() == np.False_


def test_a_part_of_one_channel_is_heard_in_the_centre_of_surround() -> None:
    mono = Audio(samples=np.ones((800, 1), np.float32), rate=8000)
    surround = Audio(samples=np.full((800, 6), 0.5, np.float32), rate=8000, layout="5.1(side)")
    sound = join([(mono, 1), (surround, 1)], Fraction(10))
    assert sound is not None
    assert sound.layout == "5.1(side)"
    assert sound.samples[0].tolist() == [0, 0, 1, 0, 0, 0]
    assert sound.samples[800].tolist() == [0.5] * 6


def test_cuts_rates_and_padding_keep_the_layout() -> None:
    three = Audio(samples=np.ones((800, 3), np.float32), rate=8000, layout="3.0")
    for changed in (cut(three, Fraction(10)), fit_frames(three, 3, Fraction(10)), resample(three, 16000)):
        assert changed.layout == "3.0"
