"""Audio streams of written videos: length, pitch, channels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.clips import numbered, tone
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import write_video

FPS = Fraction(24)


@pytest.mark.parametrize("seconds", [0.1, 2.0])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_audio_is_as_long_as_the_frames(seconds: float, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    sound = tone(seconds, 48000)
    write_video(path, [numbered(5), numbered(7)], fps=FPS, audio=sound)
    clip = read_video(path)
    assert clip.audio is not None
    heard = clip.audio.samples[:, 0]
    assert len(heard) == 24000
    # Nothing but the codec's padding may be left after the cut.
    assert len(read_audio(path).samples) - 24000 < 2048
    end = min(len(sound.samples), 24000)
    assert np.abs(heard[2000 : end - 2000] - sound.samples[2000 : end - 2000, 0]).max(initial=0) < 0.06
    assert np.abs(heard[end + 2000 :]).max(initial=0) < 0.01


@pytest.mark.parametrize(("suffix", "rate"), [(".mp4", 37800), (".webm", 44100), (".mkv", 37800)])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_audio_keeps_its_pitch_at_any_rate(suffix: str, rate: int, channels: int, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    write_video(path, [numbered(24)], fps=FPS, audio=tone(1, rate, channels, hertz=500))
    clip = read_video(path)
    assert clip.audio is not None
    assert clip.audio.samples.shape[1] == channels
    spectrum = np.abs(np.fft.rfft(clip.audio.samples[:, 0]))
    assert spectrum.argmax() == pytest.approx(500, abs=2)
