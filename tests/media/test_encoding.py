"""Streams of written videos: tags of frames; length, pitch and channels of audio."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av import AudioLayout

from tests.support.clips import numbered, tone
from tests.support.ffmpeg import ffprobe
from wangp_cli.media.clip import Audio
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import write_video

FPS = Fraction(24)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_videos_are_tagged_progressive_with_square_pixels(name: str, tmp_path: Path) -> None:
    write_video(tmp_path / name, [numbered(2)], fps=FPS, codec="hevc")
    stream = ffprobe(tmp_path / name)["streams"][0]
    assert (stream["sample_aspect_ratio"], stream["field_order"]) == ("1:1", "progressive")


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


@pytest.mark.parametrize(
    ("name", "codec", "layout", "stored"),
    [
        ("clip.mp4", "h264", "4.0", "4.0"),
        ("clip.mp4", "h264", "5.1(side)", "5.1"),
        ("clip.mp4", "h264", "6.1", "7.1"),
        ("clip.mkv", "h264", "5.1(side)", "5.1(side)"),
        ("clip.webm", "vp9", "5.0", "5.0"),
        ("clip.webm", "vp9", "6.1", "6.1"),
        ("clip.webm", "vp9", "2.1", "5.1"),
    ],
)
def test_every_channel_comes_back_at_its_position(
    name: str, codec: str, layout: str, stored: str, tmp_path: Path
) -> None:
    positions = [channel.name for channel in AudioLayout(layout).channels]
    pitches = {name: 100 if name == "LFE" else 300 * (1 + i) for i, name in enumerate(positions)}
    times = np.arange(24000) / 48000
    waves = np.stack([0.3 * np.sin(2 * np.pi * pitch * times) for pitch in pitches.values()], axis=1)
    sound = Audio(samples=waves.astype(np.float32), rate=48000, layout=layout)

    write_video(tmp_path / name, [numbered(12)], fps=FPS, codec=codec, audio=sound)

    back = read_audio(tmp_path / name)
    assert back.layout == stored
    spectra = np.abs(np.fft.rfft(back.samples[4800:14400], axis=0)).argmax(axis=0) * 5
    heard = dict(zip((channel.name for channel in AudioLayout(stored).channels), spectra, strict=True))
    # Side channels are the rear ones of layouts with one pair alone; a rear centre goes to both.
    for position, pitch in pitches.items():
        near = {"BC": "BL"}.get(position, position.replace("S", "B"))
        assert heard.get(position, heard.get(near)) == pitch
