from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.clips import flat
from wangp_cli.errors import MediaError
from wangp_cli.media.sniff import suffix_from_content
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_is_known_by_what_it_holds(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", flat(1, 0.5))
    assert suffix_from_content(tmp_path / f"a{suffix}") == suffix


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "h264"), (".mkv", "ffv1"), (".webm", "vp9"), (".mov", "h264")]
)
def test_a_video_is_known_by_what_it_holds(tmp_path: Path, suffix: str, codec: str) -> None:
    write_video(tmp_path / f"a{suffix}", [flat(3, 0.5, 32)], fps=Fraction(8), codec=codec)
    assert suffix_from_content(tmp_path / f"a{suffix}") == suffix


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_sound_is_known_by_what_it_holds(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / f"a{suffix}", np.zeros(8000, np.float32), 8000)
    assert suffix_from_content(tmp_path / f"a{suffix}") == suffix


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"#EXTM3U", b"ffconcat version 1.0", b"%!PS-Adobe", b"<svg "]
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MediaError):
        suffix_from_content(tmp_path / "a.png")
