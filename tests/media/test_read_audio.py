"""Reading audio, exactly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.clips import moving, tone
from wangp_cli.errors import MediaError
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.write import write_video


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_audio_files_read_exactly(suffix: str, tmp_path: Path) -> None:
    sound = tone(0.2, 22050, 2)
    soundfile.write(tmp_path / f"tone.{suffix}", sound.samples, 22050, subtype="PCM_24")
    back = read_audio(tmp_path / f"tone.{suffix}")
    assert back.rate == 22050
    assert np.abs(back.samples - sound.samples).max() < 1e-6
    assert back.samples.dtype == np.float32


def test_audio_of_a_video_reads_in_step(tmp_path: Path) -> None:
    sound = tone(1, 48000)
    write_video(tmp_path / "clip.mp4", [moving(24)], fps=Fraction(24), audio=sound)
    back = read_audio(tmp_path / "clip.mp4")
    # AAC pads at both ends; a shift by its 1024 samples would put the sine out of phase.
    assert np.abs(back.samples[2000:40000] - sound.samples[2000:40000]).max() < 0.05


def test_a_video_without_audio_has_none_to_read(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [moving(2)], fps=Fraction(8))
    with pytest.raises(MediaError, match="has no audio"):
        read_audio(tmp_path / "clip.mp4")
