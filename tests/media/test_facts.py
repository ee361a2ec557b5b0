"""Facts of video, image and audio files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from tests.support.clips import moving, tone
from tests.support.ffmpeg import ffmpeg
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image, write_image
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


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_has_alpha_only_where_a_pixel_is_transparent(tmp_path: Path, name: str) -> None:
    pictures = [Image.fromarray(picture) for picture in moving(3)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    assert probe(tmp_path / name).alpha is False
    clear = [picture.convert("RGBA") for picture in pictures]
    for picture in clear:
        picture.paste((0, 0, 0, 0), (5, 5, 20, 20))
    clear[0].save(tmp_path / f"clear-{name}", save_all=True, append_images=clear[1:], disposal=2)
    assert probe(tmp_path / f"clear-{name}").alpha is True


AUDIO_FORMS = {
    "a.mp4": "-c:a aac", "a.webm": "-c:a libopus -ar 48000", "a.mkv": "-c:a flac", "a.mov": "-c:a pcm_s16le",
    "a.3gp": "-c:a aac", "a.ts": "-c:a mp2", "a.aiff": "", "a.mka": "-c:a libvorbis", "a.wma": "-c:a wmav2",
    "a.flv": "-c:a aac", "a.caf": "", "a.oga": "-c:a libvorbis", "a.xyz": "-c:a libmp3lame -f mp3",
    "b.wav": "-c:a libmp3lame -f mp3", "b.mp3": "-f wav", "b.png": "-c:a aac -f adts",
}  # fmt: skip
VIDEO_FORMS = {
    "v.3gp": "-c:v mpeg4", "v.ogv": "-c:v libtheora", "v.wmv": "-c:v wmv2", "v.flv": "-c:v flv1",
    "v.mts": "-c:v libx264", "v.vob": "-c:v mpeg2video", "v.divx": "-c:v mpeg4 -f avi",
    "v.mxf": "-c:v mpeg2video", "v.mov": "-c:v ffv1 -f matroska", "v.wav": "-c:v libx264 -f mp4",
    "v": "-f avi",
}  # fmt: skip


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tone of half a second and a video of ten frames in many forms."""
    folder = tmp_path_factory.mktemp("forms")
    outputs: list[object] = []
    for name, options in AUDIO_FORMS.items():
        outputs += ["-map 0", options, folder / name]
    for name, options in VIDEO_FORMS.items():
        outputs += ["-map 1 -pix_fmt yuv420p", options, folder / name]
    for suffix in ("mp3", "m4a", "flac"):
        outputs += ["-map 0 -map 2 -c:v mjpeg -disposition:v attached_pic", folder / f"cover.{suffix}"]
    tone_and_video = "-f lavfi -i sine=d=0.5:r=48000 -f lavfi -i testsrc2=s=96x64:r=25:d=0.4"
    ffmpeg(tone_and_video, "-f lavfi -i color=s=64x64:r=25:d=0.04", *outputs)
    return folder


@pytest.mark.parametrize("name", AUDIO_FORMS)
def test_audio_alone_is_audio_in_every_file(name: str, forms: Path) -> None:
    facts = probe(forms / name)
    assert (facts.kind, facts.audio_rate, facts.audio_channels) == ("audio", 48000, 1)
    assert facts.seconds == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("name", VIDEO_FORMS)
def test_a_video_is_read_in_every_file(name: str, forms: Path) -> None:
    facts = probe(forms / name)
    assert (facts.kind, facts.frames, facts.fps) == ("video", 10, Fraction(25))
    assert read_video(forms / name).frames.shape == (10, 64, 96, 3)


@pytest.mark.parametrize("suffix", ["mp3", "m4a", "flac"])
def test_a_cover_image_makes_no_video(suffix: str, forms: Path) -> None:
    assert probe(forms / f"cover.{suffix}").kind == "audio"


@pytest.mark.parametrize("name", ["a.mp4", "a.mp3", "a.xyz", "a"])
def test_an_image_is_one_whatever_its_name_is(name: str, tmp_path: Path) -> None:
    write_image(tmp_path / "still.png", moving(1)[0])
    (tmp_path / "still.png").rename(tmp_path / name)
    assert probe(tmp_path / name).kind == "image"
    assert read_image(tmp_path / name).shape == (1, 48, 64, 3)


def test_a_video_stream_without_a_frame_is_no_video(tmp_path: Path) -> None:
    ffmpeg("-f lavfi -i color=s=64x64:r=10:d=0.5 -f lavfi -i sine=d=0.5 -c:a aac", tmp_path / "a.mp4")
    ffmpeg("-i", tmp_path / "a.mp4", "-map 0 -c copy -bsf:v noise=drop=1", tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").kind == "audio"


def test_the_default_video_stream_is_read(tmp_path: Path) -> None:
    sources = "-f lavfi -i color=red:s=32x32:r=10:d=0.3 -f lavfi -i color=blue:s=64x64:r=10:d=0.3"
    flags = "-disposition:v:0 0 -disposition:v:1 default -default_mode passthrough"
    ffmpeg(sources, "-map 0 -map 1 -c:v ffv1", flags, tmp_path / "two.mkv")
    assert (probe(tmp_path / "two.mkv").width, read_video(tmp_path / "two.mkv").size) == (64, (64, 64))
