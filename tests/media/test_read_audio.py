"""Reading audio, exactly and to its end."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from tests.support.clips import moving, tone
from tests.support.ffmpeg import ffmpeg
from wangp_cli.errors import MediaError
from wangp_cli.media.channels import to_audio_frame
from wangp_cli.media.facts import probe
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.write import write_video

SECONDS = 0.75


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_audio_files_read_exactly(suffix: str, tmp_path: Path) -> None:
    sound = tone(0.2, 22050, 2)
    soundfile.write(tmp_path / f"tone.{suffix}", sound.samples, 22050, subtype="PCM_24")
    back = read_audio(tmp_path / f"tone.{suffix}")
    assert back.rate == 22050
    assert np.abs(back.samples - sound.samples).max() < 1e-6
    assert back.samples.dtype == np.float32


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("master") / "master.wav"
    soundfile.write(path, tone(SECONDS, 44100, 2).samples, 44100)
    return path


PIPED = {
    "a.mp3": "-c:a libmp3lame -q:a 4", "b.mp3": "-c:a libmp3lame -q:a 4 -write_xing 0",
    "a.wav": "-c:a pcm_s24le", "a.flac": "", "a.aac": "", "a.opus": "-ar 48000", "a.mka": "-c:a libvorbis",
    "a.ts": "-c:a mp2",
}  # fmt: skip


@pytest.fixture(scope="module")
def piped(master: Path) -> Path:
    """A folder with the master as programs write it to a pipe, without seeking back to state its length."""
    outputs = [
        part for name, options in PIPED.items() for part in (options, "-seekable 0", master.with_name(name))
    ]
    ffmpeg("-i", master, *outputs)
    return master.parent


@pytest.mark.parametrize("name", PIPED)
def test_audio_from_a_pipe_is_read_to_its_end(name: str, piped: Path) -> None:
    audio, facts = read_audio(piped / name), probe(piped / name)
    assert audio.seconds == pytest.approx(SECONDS, abs=0.06)
    assert (facts.kind, facts.seconds, facts.audio_seconds) == ("audio", audio.seconds, audio.seconds)
    assert np.abs(audio.samples[-8000:-4000]).max() > 0.4


@pytest.mark.parametrize("stated", [0, 1000, 0xFFFFFFFF])
def test_a_wav_is_read_to_its_end_whatever_length_it_states(
    stated: int, master: Path, tmp_path: Path
) -> None:
    content = bytearray(master.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = stated.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    assert np.array_equal(read_audio(tmp_path / "a.wav").samples, read_audio(master).samples)
    assert probe(tmp_path / "a.wav").seconds == SECONDS


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_audio_that_is_cut_off_is_read_and_told(suffix: str, master: Path, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    ffmpeg("-i", master, "-c:a", {"wav": "pcm_s16le", "flac": "flac"}[suffix], path)
    assert probe(path).notices == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seconds = read_audio(path).seconds
    assert 0.2 < seconds < 0.6
    assert f"audio ends after {seconds:.2f} s, where the file is cut off" in probe(path).notices


def test_what_follows_the_samples_of_a_wav_is_not_heard(master: Path, tmp_path: Path) -> None:
    for tail in (b"LIST" + (6000).to_bytes(4, "little") + b"\x7f" * 6000, b"TAG" + b"\xff" * 125):
        (tmp_path / "a.wav").write_bytes(master.read_bytes() + tail)
        assert len(read_audio(tmp_path / "a.wav").samples) == SECONDS * 44100


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_files_one_after_another_are_read_to_their_end(suffix: str, master: Path, tmp_path: Path) -> None:
    ffmpeg("-i", master, tmp_path / f"one.{suffix}")
    (tmp_path / f"two.{suffix}").write_bytes((tmp_path / f"one.{suffix}").read_bytes() * 2)
    assert probe(tmp_path / f"two.{suffix}").seconds == pytest.approx(2 * SECONDS, abs=0.1)


@pytest.mark.parametrize(
    ("first", "second"),
    [("-c:a libvorbis -q:a 1", "-c:a libvorbis -q:a 9"), ("-c:a libopus -ac 1", "-c:a libvorbis -ar 32000")],
)
def test_each_link_of_an_ogg_chain_is_decoded_by_its_own_headers(
    first: str, second: str, master: Path, tmp_path: Path
) -> None:
    ffmpeg("-i", master, first, "-f ogg", tmp_path / "1", second, "-f ogg", tmp_path / "2")
    path = tmp_path / "chain.ogg"
    path.write_bytes((tmp_path / "1").read_bytes() + (tmp_path / "2").read_bytes())
    audio, facts = read_audio(path), probe(path)
    assert audio.seconds == facts.seconds == pytest.approx(2 * SECONDS, abs=0.01)
    assert (audio.layout, facts.notices) == ("stereo", ())
    left = audio.samples[-round(0.6 * audio.rate) :, 0]
    assert np.abs(np.fft.rfft(left)).argmax() / 0.6 == pytest.approx(330, abs=4)
    assert np.abs(left).max() == pytest.approx(0.5, abs=0.05)


def test_more_than_eight_channels_are_mixed_to_stereo_with_a_notice(tmp_path: Path) -> None:
    many = np.zeros((800, 16), np.float32)
    many[:, 3] = 0.5
    soundfile.write(tmp_path / "many.wav", many, 8000)
    audio, facts = read_audio(tmp_path / "many.wav"), probe(tmp_path / "many.wav")
    assert (audio.samples.shape, audio.layout) == ((800, 2), "stereo")
    assert audio.samples.max() > 0
    assert (facts.audio_channels, facts.audio_layout) == (16, "stereo")
    assert facts.notices == ("16 channels of audio, mixed to stereo",)


@pytest.mark.parametrize("layout", ["3.0", "5.1(side)"])
def test_channels_keep_the_names_that_a_file_gives_them(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    ffmpeg(f"-f lavfi -i anullsrc=channel_layout={layout}:sample_rate=8000 -t 0.1 -c:a flac", path)
    assert read_audio(path).layout == probe(path).audio_layout == layout


@pytest.mark.parametrize(
    ("mask", "channels", "layout"), [(0x9, 2, "stereo"), (0x30, 2, "stereo"), (0x8, 1, "mono")]
)
def test_positions_that_cannot_be_mixed_are_those_of_their_number(
    mask: int, channels: int, layout: str, tmp_path: Path
) -> None:
    """As programs write that know no positions: front left and subwoofer, rear channels, subwoofer."""
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.1, 8000, channels).samples, 8000, format="WAVEX")
    content = bytearray(path.read_bytes())
    at = content.index(b"fmt ") + 8 + 20
    content[at : at + 4] = mask.to_bytes(4, "little")
    path.write_bytes(content)
    audio = read_audio(path)
    assert (audio.layout, audio.samples.shape) == (layout, (800, channels))
    write_video(tmp_path / "a.mp4", [moving(2)], fps=Fraction(20), audio=audio)
    assert read_audio(tmp_path / "a.mp4").layout == layout


def test_ambisonic_audio_is_read_as_mono(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    with av.open(str(path), "w", format="ogg") as opened:
        options = {"mapping_family": "2"}
        stream = opened.add_stream("libopus", rate=48000, layout="ambisonic 1", options=options)
        frame = to_audio_frame(tone(0.2, 48000, 4).samples, "ambisonic 1", 48000)
        frame.pts, frame.time_base = 0, Fraction(1, 48000)
        opened.mux([*stream.encode(frame), *stream.encode(None)])
    audio, facts = read_audio(path), probe(path)
    assert (audio.layout, audio.samples.shape[1]) == ("mono", 1)
    assert np.abs(audio.samples).max() == pytest.approx(0.5, abs=0.1)
    assert facts.notices == ("ambisonic audio, read as mono",)


def test_audio_of_a_video_reads_in_step(tmp_path: Path) -> None:
    sound = tone(1, 48000)
    write_video(tmp_path / "clip.mp4", [moving(24)], fps=Fraction(24), audio=sound)
    back = read_audio(tmp_path / "clip.mp4")
    # AAC pads at both ends; a shift by its 1024 samples would put the sine out of phase.
    assert np.abs(back.samples[2000:40000] - sound.samples[2000:40000]).max() < 0.05


def test_a_hole_in_the_audio_of_a_video_is_silent(tmp_path: Path) -> None:
    """The audio after it stays with its frames."""
    ffmpeg(
        "-f lavfi -i color=black:s=64x64:r=10:d=3 -f lavfi -i aevalsrc=0.5:s=8000:d=3",
        "-af aselect='lt(t,1)+gt(t,2)' -c:v ffv1 -c:a pcm_s16le",
        tmp_path / "hole.mkv",
    )
    samples = read_audio(tmp_path / "hole.mkv").samples[:, 0]
    assert len(samples) == pytest.approx(24000, abs=1100)
    assert samples[:7000].min() > 0.49
    assert not samples[10000:15000].any()
    assert samples[17100:23000].min() > 0.49


def test_a_video_without_audio_has_none_to_read(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [moving(2)], fps=Fraction(8))
    with pytest.raises(MediaError, match="has no audio"):
        read_audio(tmp_path / "clip.mp4")


def test_a_stream_without_a_sample_is_no_audio(tmp_path: Path) -> None:
    path = tmp_path / "silent.mkv"
    ffmpeg("-f lavfi -i color=s=64x64:r=10:d=0.5 -f lavfi -i anullsrc -t 0.5 -c:a aac", tmp_path / "a.mp4")
    ffmpeg("-i", tmp_path / "a.mp4", "-map 0 -c copy -bsf:a noise=drop=1", path)
    assert probe(path).audio_codec is None
    assert "its audio stream is empty or cannot be decoded, it counts as silent" in probe(path).notices
    with pytest.raises(MediaError, match="has no audio"):
        read_audio(path)


def test_the_default_stream_is_read_and_no_commentary(tmp_path: Path) -> None:
    path = tmp_path / "three.mkv"
    sources = " ".join(f"-f lavfi -i aevalsrc={value}:s=8000:d=0.2" for value in (0.1, 0.2, 0.3))
    maps = "-map 0 -map 1 -map 2 -c:a pcm_s16le -disposition:a 0"
    for flags, wanted in (
        ("-disposition:a:1 default", 0.2),
        ("-disposition:a:0 default+comment -disposition:a:1 visual_impaired", 0.3),
    ):
        ffmpeg(sources, maps, flags, "-default_mode passthrough", path)
        assert read_audio(path).samples.mean() == pytest.approx(wanted, abs=0.001), flags


def test_audio_that_would_fill_the_memory_is_refused(master: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wangp_cli.media.read_audio._MAX_VALUES", 44100)
    with pytest.raises(MediaError, match="is too long"):
        read_audio(master)


def test_facts_of_audio_are_read_anew_after_the_file_changes(master: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for seconds in (0.1, 0.2):
        soundfile.write(path, tone(seconds, 8000).samples, 8000)
        assert probe(path).seconds == seconds
