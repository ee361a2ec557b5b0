"""Files of many makers: their facts against ffprobe, their pictures and audio against ffmpeg's decoder."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.corpus import Case, write_masters
from tests.support.corpus_audio import AUDIO, SYNC
from tests.support.corpus_pictures import CUT, PICTURES
from tests.support.ffmpeg import ffmpeg, ffprobe
from wangp_cli.errors import MediaError
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image

pytestmark = pytest.mark.slow

# Chroma is sited left, which ffmpeg's scale filter does not assume by itself.
TO_RGB = "scale=in_h_chr_pos=0:flags=accurate_rnd+full_chroma_int+full_chroma_inp+bicubic"
RGB_FORMATS = {(3, False): "rgb24", (3, True): "rgb48le", (4, False): "rgba", (4, True): "rgba64le"}


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masters")
    write_masters(folder)
    return folder


@pytest.mark.parametrize("case", PICTURES, ids=lambda case: case.name)
def test_pictures_are_those_that_ffmpeg_decodes(case: Case, masters: Path, tmp_path: Path) -> None:
    path = case.write(masters, tmp_path)
    facts, clip, told = probe(path), read_video(path), ffprobe(path)
    video = next(stream for stream in told["streams"] if stream["codec_type"] == "video")
    sound = next((stream for stream in told["streams"] if stream["codec_type"] == "audio"), None)

    assert facts.kind == "video"
    assert facts.frames == len(clip) == int(video["nb_read_frames"])
    assert facts.fps == pytest.approx(Fraction(video["r_frame_rate"]), rel=1e-4)
    assert facts.seconds == pytest.approx(float(facts.frames / clip.fps))
    assert (facts.width, facts.height) == clip.size
    assert facts.codec == video["codec_name"]
    for name in ("primaries", "transfer", "matrix", "range"):
        shown = {"matrix": "color_space", "transfer": "color_transfer"}.get(name, f"color_{name}")
        assert getattr(facts, name) == video.get(shown, "unknown").replace("unknown", getattr(facts, name))
    assert (facts.audio_codec is None) == (clip.audio is None) == (sound is None)
    if sound is not None and clip.audio is not None:
        assert (facts.audio_codec, facts.audio_rate) == (sound["codec_name"], int(sound["sample_rate"]))
        assert facts.audio_seconds is not None
        assert clip.audio.seconds == pytest.approx(min(facts.seconds, facts.audio_seconds), abs=0.1)
        assert np.abs(clip.audio.samples[2000:8000]).max() > 0.2
    reference = _pictures(path, case.reference, clip.frames)
    assert reference.shape == clip.frames.shape
    levels = np.abs(as_float(clip.frames) - as_float(reference)).max() * 255
    assert levels <= case.tolerance


@pytest.mark.parametrize("case", AUDIO, ids=lambda case: case.name)
def test_audio_is_what_ffmpeg_decodes(case: Case, masters: Path, tmp_path: Path) -> None:
    path = case.write(masters, tmp_path)
    facts, audio = probe(path), read_audio(path)
    stream = ffprobe(path)["streams"][0]
    raw = ffmpeg("-i", path, "-map 0:a:0 -f f32le -")
    reference = np.frombuffer(raw, np.float32).reshape(-1, audio.samples.shape[1])

    assert facts.kind == "audio"
    assert (facts.audio_codec, facts.audio_rate) == (stream["codec_name"], int(stream["sample_rate"]))
    assert facts.audio_channels == stream["channels"]
    assert facts.audio_layout == audio.layout
    assert "channel_layout" not in stream or facts.audio_layout == stream["channel_layout"]
    assert facts.seconds == facts.audio_seconds == audio.seconds
    assert audio.samples.shape == reference.shape
    assert np.abs(audio.samples - reference).max() < 2e-3


@pytest.mark.parametrize("case", SYNC, ids=lambda case: case.name)
def test_a_white_frame_and_its_beep_stay_together(case: Case, masters: Path, tmp_path: Path) -> None:
    clip = read_video(case.write(masters, tmp_path))
    assert clip.audio is not None
    white = as_float(clip.frames).mean(axis=(1, 2, 3)).argmax()
    loud = np.abs(clip.audio.samples).max(axis=1)
    begin = np.flatnonzero(loud > 0.4 * loud.max())[0]
    assert loud.max() > 0.5
    assert begin / clip.audio.rate == pytest.approx(float(white / clip.fps), abs=float(1 / clip.fps))


@pytest.mark.parametrize("case", CUT, ids=lambda case: case.name)
def test_a_file_without_its_end_is_refused(case: Case, masters: Path, tmp_path: Path) -> None:
    path = case.write(masters, tmp_path)
    for read in (probe, read_video):
        with pytest.raises(MediaError, match=r"is cut off|cannot read"):
            read(path)


DAMAGED = (
    "h264.mp4",
    "hevc.mkv",
    "vp9.webm",
    "av1.mp4",
    "mpeg2.ts",
    "mpeg4.avi",
    "theora.ogv",
    "wmv2.wmv",
    "loop.gif",
)
DAMAGED_AUDIO = (
    "libmp3lame.mp3",
    "flac.flac",
    "libvorbis.ogg",
    "aac.m4a",
    "pcm_s16le.wav",
    "libopus.opus",
    "aac.aac",
)


@pytest.mark.parametrize(
    "case",
    [case for case in (*PICTURES, *AUDIO) if case.name in DAMAGED + DAMAGED_AUDIO],
    ids=lambda case: case.name,
)
def test_libraries_write_nothing_to_stderr_about_damage(
    case: Case, masters: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = case.write(masters, tmp_path)
    whole = path.read_bytes()
    capfd.readouterr()
    for seed in range(8):
        random = np.random.default_rng(seed)
        content = bytearray(whole)
        for at in random.integers(40 * seed, len(content), 20):
            content[at] = random.integers(256)
        path.write_bytes(content)
        for read in (probe, read_video, read_audio, read_image):
            with suppress(MediaError):
                read(path)
    assert capfd.readouterr().err == ""


def _pictures(path: Path, filters: str, like: Frames) -> Frames:
    """The frames of ffmpeg's own decoder, in the shape and dtype of others."""
    deep = like.dtype == np.uint16
    wanted = RGB_FORMATS[like.shape[3], deep]
    chain = ",".join(part for part in (filters, TO_RGB, f"format={wanted}") if part)
    # ffmpeg's own decoders of VP8 and VP9 drop the alpha channel.
    libvpx = {"alpha8": "-c:v libvpx", "alpha9": "-c:v libvpx-vp9"}.get(path.stem, "")
    raw = ffmpeg(libvpx, "-i", path, "-map 0:v:0 -vsync passthrough -vf", chain, "-f rawvideo -")
    frames: Frames = np.frombuffer(raw, "<u2" if deep else np.uint8).reshape(-1, *like.shape[1:])
    return frames
