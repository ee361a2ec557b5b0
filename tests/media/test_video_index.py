"""Pictures of video files of many makers: when they are shown, and where they are found."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.ffmpeg import ffmpeg, ffprobe
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_frames, read_video, stream_video
from wangp_cli.media.video_index import video_index

FLASH, COUNT = 24, 36
X264 = "-c:v libx264 -preset veryfast -pix_fmt yuv420p"


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One and a half seconds of black with a white frame and a beep at one second."""
    path = tmp_path_factory.mktemp("times") / "master.mkv"
    white = f"drawbox=color=white:t=fill:enable='eq(n,{FLASH})'"
    beep = "aevalsrc=if(between(t\\,1\\,1.05)\\,0.9*sin(2000*PI*t)\\,0):s=48000:d=1.5"
    ffmpeg(
        "-f lavfi -i", f"color=black:s=64x64:r=24:d=1.5,{white}", "-f lavfi -i", beep,
        "-c:v ffv1 -c:a pcm_s16le", path,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with reordered frames and a group of pictures each second, each open to the one before."""
    path = tmp_path_factory.mktemp("times") / "open.ts"
    ffmpeg(
        "-f lavfi -i testsrc2=s=96x64:r=24:d=2 -f lavfi -i sine=d=2:r=16000",
        "-c:v mpeg2video -q:v 3 -bf 2 -g 18 -c:a mp2", path,
    )  # fmt: skip
    return path


def decoded_frames(path: Path) -> int:
    [stream] = (one for one in ffprobe(path)["streams"] if one["codec_type"] == "video")
    return int(stream["nb_read_frames"])


def flash_and_beep(path: Path) -> tuple[list[int], float]:
    """White frames, and the frame at which the beep begins."""
    clip = read_video(path)
    assert clip.audio is not None
    white = np.flatnonzero(clip.frames.mean(axis=(1, 2, 3)) > 128).tolist()
    loud = np.flatnonzero(np.abs(clip.audio.samples).max(axis=1) > 0.2)
    return white, float(loud[0] / clip.audio.rate * clip.fps)


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("a.mp4", f"{X264} -c:a aac"),
        pytest.param("a.mov", f"{X264} -g 12 -c:a pcm_s16le", marks=pytest.mark.slow),
        ("a.mkv", f"{X264} -c:a aac"),
        pytest.param("a.ts", f"{X264} -c:a aac", marks=pytest.mark.slow),
        pytest.param("a.flv", f"{X264} -ar 44100 -c:a aac", marks=pytest.mark.slow),
        pytest.param("a.webm", "-c:v libvpx -deadline realtime -c:a libopus", marks=pytest.mark.slow),
        pytest.param("a.avi", "-c:v mpeg4 -q:v 2 -c:a pcm_s16le", marks=pytest.mark.slow),
        ("b.avi", f"{X264} -bf 2 -c:a pcm_s16le"),
    ],
)
def test_a_gap_between_stamps_is_filled_and_sound_stays_with_its_frame(
    name: str, codecs: str, master: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    ffmpeg("-i", master, "-vf", "select='lt(n,6)+gt(n,17)'", "-vsync vfr", codecs, path)
    facts = probe(path)
    assert (facts.frames, facts.fps) == (COUNT, Fraction(24))
    assert facts.seconds == pytest.approx(1.5)
    assert any("variable frame rate" in notice for notice in facts.notices)
    white, beep = flash_and_beep(path)
    assert white == [FLASH]
    assert beep == pytest.approx(FLASH, abs=1)
    numbers = [34, 3, 12, FLASH, 12]
    assert np.array_equal(read_frames(path, numbers), read_video(path, audio=False).frames[numbers])


@pytest.mark.parametrize(
    "name",
    ["cut.ts", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cut.mkv", "cut.mpg", "cut.mp4"))],
)
def test_frames_before_the_first_key_frame_count_if_they_decode(
    name: str, counted: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    ffmpeg("-ss 0.9 -i", counted, "-c copy", path)
    shown = decoded_frames(path)
    facts = probe(path)
    assert (facts.frames, facts.fps, facts.notices) == (shown, Fraction(24), ())
    assert len(read_video(path)) == shown


@pytest.mark.slow
def test_leading_frames_of_an_open_group_are_not_frames_of_a_cut(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mkv"
    parameters = "log-level=none:open-gop=1:keyint=12:min-keyint=12:bframes=4:scenecut=0"
    ffmpeg(
        "-f lavfi -i testsrc2=s=96x64:r=24:d=1.5 -pix_fmt yuv420p -c:v libx265 -x265-params",
        parameters,
        whole,
    )
    ffmpeg("-ss 0.9 -i", whole, "-c copy", cut)
    shown = decoded_frames(cut)
    assert probe(cut).frames == shown == len(read_video(cut))
    assert np.array_equal(read_video(cut).frames[-6:], read_video(whole).frames[-6:])


@pytest.mark.parametrize(
    "suffix", [".ts", *(pytest.param(suffix, marks=pytest.mark.slow) for suffix in (".mkv", ".mpg", ".avi"))]
)
def test_any_frame_is_found_by_its_number(suffix: str, counted: Path, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    ffmpeg("-i", counted, "-c copy" if suffix != ".avi" else f"-an {X264} -bf 2 -g 18", path)
    frames = read_video(path).frames
    assert len(frames) == 48
    assert np.array_equal(read_frames(path, [40, 17, 18, 19, 20, 0]), frames[[40, 17, 18, 19, 20, 0]])
    for start in (1, 17, 35):
        assert np.array_equal(next(stream_video(path, start=start)), frames[start : start + 16])


def test_pictures_whose_stamps_follow_the_order_of_decoding_are_shown_in_their_own(tmp_path: Path) -> None:
    source, raw, path = (tmp_path / name for name in ("source.mp4", "raw.h264", "raw.mp4"))
    ffmpeg(f"-f lavfi -i testsrc2=s=64x64:r=24 -frames:v 16 {X264} -bf 3", source)
    ffmpeg("-i", source, "-c copy -bsf:v h264_mp4toannexb", raw)
    ffmpeg("-r 24 -i", raw, "-c copy", path)
    whole, frames = read_video(source).frames.astype(int), read_video(path).frames
    assert len(frames) == decoded_frames(path)
    order = [int(np.abs(whole - frame).mean(axis=(1, 2, 3)).argmin()) for frame in frames]
    assert order == sorted(set(order))
    assert np.array_equal(read_frames(path, [7, 3]), frames[[7, 3]])


def test_transport_streams_one_behind_another_are_one_video(counted: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.ts"
    path.write_bytes(counted.read_bytes() * 2)
    frames = read_video(counted).frames
    assert (probe(path).frames, probe(path).fps) == (96, Fraction(24))
    assert np.array_equal(read_frames(path, [10, 58]), frames[[10, 10]])
    assert probe(path).audio_seconds == pytest.approx(4, abs=0.1)
    sound = read_video(path).audio
    assert sound is not None
    assert np.abs(sound.samples[-8000:]).max() > 0.05


@pytest.mark.slow
def test_frames_of_intra_refresh_are_whole_wherever_reading_starts(tmp_path: Path) -> None:
    path = tmp_path / "refresh.ts"
    ffmpeg(
        f"-f lavfi -i testsrc2=s=64x64:r=24:d=2 {X264} -x264-params keyint=12:intra-refresh=1:bframes=0", path
    )
    frames = read_video(path).frames
    numbers = [45, 31, 17, 20, 29]
    assert np.array_equal(read_frames(path, numbers), frames[numbers])


@pytest.mark.slow
def test_a_long_gap_in_the_pictures_alone_is_no_restart_of_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "gap.ts"
    ffmpeg(
        "-f lavfi -i testsrc2=s=64x64:r=8:d=20,select='lt(n,20)+gt(n,139)' -f lavfi -i sine=d=20:r=16000",
        "-vsync vfr -c:v mpeg2video -c:a mp2", path,
    )  # fmt: skip
    assert probe(path).seconds == pytest.approx(20)
    sound = read_video(path).audio
    assert sound is not None
    assert sound.seconds == pytest.approx(20, abs=0.1)


@pytest.mark.slow
def test_a_stream_whose_clock_overflows_is_read_on(counted: Path, tmp_path: Path) -> None:
    path = tmp_path / "wrap.ts"
    ffmpeg("-i", counted, "-c copy -output_ts_offset 95441.5", path)
    assert (probe(path).frames, probe(path).seconds) == (48, 2)


@pytest.mark.parametrize("comment", [b"\x21\xfe\x05hello\x00", b"\x21\xf9\x04\x04\x0a\x00\x00\x00", b""])
def test_a_gif_has_the_frames_and_times_of_its_pictures(comment: bytes, tmp_path: Path) -> None:
    path = tmp_path / "delays.gif"
    first, *rest = (Image.new("RGB", (16, 16), (40 * i, 0, 0)) for i in range(5))
    first.save(path, save_all=True, append_images=rest, duration=[100, 200, 100, 300, 100])
    path.write_bytes(path.read_bytes()[:-1] + comment + b";")
    clip = read_video(path)
    assert (len(clip), clip.fps) == (8, Fraction(10))
    assert (clip.frames[:, 0, 0, 0] // 40).tolist() == [0, 1, 1, 2, 3, 3, 3, 4]


@pytest.mark.slow
def test_hidden_reference_frames_are_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "hidden.webm"
    for number in (1, 2):
        ffmpeg(
            "-f lavfi -i testsrc2=s=64x48:r=24 -frames:v 30 -c:v libvpx -deadline good -cpu-used 5 -b:v 200k",
            "-auto-alt-ref 1 -lag-in-frames 16 -arnr-maxframes 7",
            f"-pass {number} -passlogfile {tmp_path / 'log'}", path,
        )  # fmt: skip
    assert probe(path).frames == 30 == decoded_frames(path) == len(read_video(path))
    with av.open(str(path)) as opened:
        assert sum(packet.size > 0 for packet in opened.demux(video=0)) > 30


@pytest.mark.slow
def test_a_file_is_read_anew_after_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    for count in (3, 5):
        ffmpeg(f"-f lavfi -i testsrc2=s=64x64:r=8 -frames:v {count} {X264}", path)
        index = video_index(path)
        assert (index.times.stored, index.times.fps) == (count, Fraction(8))
