"""Audio of cached segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wangp_cli.errors import MediaError
from wangp_cli.media.clip import Audio
from wangp_cli.workflows.segment_audio import audio_file, read_cached_audio, write_audio


def test_audio_is_read_back_bit_for_bit_and_goes_when_there_is_none(tmp_path: Path) -> None:
    file = audio_file(tmp_path / "segment.npy")
    samples = np.random.default_rng(1).uniform(-1, 1, (500, 2)).astype(np.float32)
    write_audio(file, Audio(samples=samples, rate=44_100, layout="downmix"))
    audio = read_cached_audio(file)
    assert audio is not None
    assert (audio.rate, audio.layout) == (44_100, "downmix")
    assert np.array_equal(audio.samples, samples)
    write_audio(file, None)
    assert read_cached_audio(file) is None
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "segment.npz"
    write_audio(file, Audio(samples=np.zeros((500, 2), np.float32), rate=8000))
    whole = file.read_bytes()
    for content in (b"", whole[:100], b"x" * 200):
        file.write_bytes(content)
        with pytest.raises(MediaError, match="holds no audio"):
            read_cached_audio(file)
