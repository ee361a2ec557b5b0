"""Facts of video, image and audio files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import soundfile

from tests.support.clips import moving, tone
from wangp_cli.media.facts import probe
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video


def test_facts_tell_what_is_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, [moving(9)], fps=Fraction(24000, 1001), audio=tone(1, 44100, 2))
    facts = probe(path)
    assert (facts.kind, facts.width, facts.height, facts.frames) == ("video", 64, 48, 9)
    assert (facts.container, facts.codec, facts.pixel_format) == ("mp4", "h264", "yuv420p")
    assert facts.fps == Fraction(24000, 1001)
    assert facts.seconds == pytest.approx(9 * 1001 / 24000)
    assert (facts.audio_codec, facts.audio_rate, facts.audio_channels) == ("aac", 44100, 2)
    assert facts.bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("name", "container"), [("clip.mov", "mov"), ("clip.mkv", "matroska"), ("clip.webm", "webm")]
)
def test_the_container_is_called_what_the_file_is(tmp_path: Path, name: str, container: str) -> None:
    write_video(tmp_path / name, [moving(2)], fps=Fraction(8))
    assert probe(tmp_path / name).container == container


def test_facts_of_images_and_audio(tmp_path: Path) -> None:
    write_image(tmp_path / "still.png", moving(1, channels=4)[0])
    soundfile.write(tmp_path / "tone.wav", tone(0.5, 8000, 2).samples, 8000)
    still, sound = probe(tmp_path / "still.png"), probe(tmp_path / "tone.wav")
    assert (still.kind, still.width, still.height, still.frames, still.fps) == ("image", 64, 48, 1, None)
    assert (still.codec, still.pixel_format) == ("png", "RGBA")
    assert (sound.kind, sound.seconds, sound.audio_rate, sound.audio_channels) == ("audio", 0.5, 8000, 2)


def test_a_webm_with_alpha_has_a_pixel_format_with_alpha(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.webm", [moving(2, channels=4)], fps=Fraction(8))
    assert probe(tmp_path / "clip.webm").pixel_format == "yuva420p"
