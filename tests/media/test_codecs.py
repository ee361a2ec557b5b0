"""The codec table."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.clips import moving, numbered, psnr, tone
from tests.support.ffmpeg import ffmpeg, ffprobe
from wangp_cli.errors import MediaError
from wangp_cli.media.clip import as_float, as_uint8, chunks
from wangp_cli.media.codecs import CODECS, check_rate, choose_codec
from wangp_cli.media.facts import probe
from wangp_cli.media.mask import threshold
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import write_video

FILM = Fraction(24000, 1001)
PAIRS = [(codec.name, suffix) for codec in CODECS.values() for suffix in codec.suffixes]
LEAST_DB = {
    "h264": 38,
    "h264-10": 40,
    "h264-444": 42,
    "hevc": 39,
    "av1": 38,
    "vp9": 38,
    "prores": 45,
    "dnxhr": 45,
}


@pytest.mark.parametrize(("codec", "suffix"), PAIRS)
def test_every_codec_comes_back_from_every_container(codec: str, suffix: str, tmp_path: Path) -> None:
    width, height = (256, 120) if codec == "dnxhr" else (64, 48)
    frames = moving(5, width, height)
    path = tmp_path / f"clip{suffix}"

    write_video(path, [frames[:2], frames[2:]], fps=FILM, codec=codec, audio=tone(1, 48000))
    clip = read_video(path)

    assert len(clip) == 5
    assert clip.fps == FILM
    assert clip.size == (width, height)
    assert psnr(clip.frames, frames) >= LEAST_DB.get(codec, 50)
    assert clip.audio is not None
    assert len(clip.audio.samples) == round(5 * 48000 / FILM)
    facts = probe(path)
    if CODECS[codec].rgb:
        assert (facts.matrix, facts.range) == ("gbr", "pc")
    else:
        assert (facts.primaries, facts.transfer, facts.matrix, facts.range) == (
            "bt709",
            "bt709",
            "bt709",
            "tv",
        )


@pytest.mark.parametrize("codec", ["h264-lossless", "ffv1"])
def test_a_lossless_codec_gives_back_every_value(codec: str, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), np.uint8)
    write_video(tmp_path / "noise.mkv", [frames], fps=FILM, codec=codec)
    assert np.array_equal(read_video(tmp_path / "noise.mkv").frames, frames)


@pytest.mark.parametrize("channels", [3, 4])
def test_ffv1_gives_back_all_sixteen_bits(channels: int, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 65536, (2, 24, 32, channels), np.uint16)
    write_video(tmp_path / "noise.mkv", [frames], fps=FILM, codec="ffv1")
    assert np.array_equal(read_video(tmp_path / "noise.mkv").frames, frames)


def test_ten_bits_keep_float_gradients_finer_than_eight(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0.4, 0.5, 64, dtype=np.float32)[None, None, :, None], (2, 48, 1, 3))
    for codec in ("h264-444", "prores4444"):
        write_video(tmp_path / "ramp.mov", [ramp], fps=FILM, codec=codec)
        values = as_float(read_video(tmp_path / "ramp.mov").frames)[0, 24, :, 1]
        # Eight bits have 26 levels in this range.
        assert len(np.unique(values.round(4))) > 40, codec


def test_white_of_eight_bits_stays_white_in_ten(tmp_path: Path) -> None:
    white = np.full((2, 16, 16, 3), 255, np.uint8)
    write_video(tmp_path / "white.mov", [white], fps=FILM, codec="prores4444")
    assert as_float(read_video(tmp_path / "white.mov").frames).min() > 1 - 0.25 / 255


@pytest.mark.parametrize(
    ("codec", "suffix", "least_alpha"),
    [("prores4444", ".mov", 55), ("vp9", ".webm", 40), ("ffv1", ".mkv", 99)],
)
def test_alpha_survives(codec: str, suffix: str, least_alpha: float, tmp_path: Path) -> None:
    frames = moving(4, channels=4)
    path = tmp_path / f"clip{suffix}"
    write_video(path, [frames], fps=FILM, codec=codec)
    back = read_video(path).frames
    assert back.shape == frames.shape
    assert psnr(back[..., 3], frames[..., 3]) >= least_alpha


def test_prores_gives_back_eight_bits_of_alpha_exactly(tmp_path: Path) -> None:
    frames = np.full((1, 32, 256, 4), 128, np.uint8)
    frames[..., 3] = np.arange(256)
    write_video(tmp_path / "clip.mov", [frames], fps=FILM, codec="prores4444")
    alpha = read_video(tmp_path / "clip.mov").frames[..., 3]
    assert (alpha.min(), alpha.max()) == (0, 65535)
    assert np.array_equal(as_uint8(alpha), frames[..., 3])


def test_other_programs_read_the_alpha_of_vp9(tmp_path: Path) -> None:
    frames = moving(3, channels=4)
    write_video(tmp_path / "clip.webm", [frames], fps=FILM)
    [stream] = ffprobe(tmp_path / "clip.webm")["streams"]
    assert (stream["codec_name"], stream["tags"]["alpha_mode"]) == ("vp9", "1")
    decoded = ffmpeg("-c:v libvpx-vp9 -i", tmp_path / "clip.webm", "-f rawvideo -pix_fmt rgba -")
    theirs = np.frombuffer(decoded, np.uint8).reshape(frames.shape)
    assert np.array_equal(theirs[..., 3], read_video(tmp_path / "clip.webm").frames[..., 3])


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("ffv1", ".mkv"), ("h264-lossless", ".mkv")])
def test_a_mask_stays_black_and_white(codec: str, suffix: str, tmp_path: Path) -> None:
    mask = np.zeros((4, 48, 64, 1), np.uint8)
    for number, frame in enumerate(mask):
        frame[10:30, 12 + number : 40 + number] = 255
    write_video(tmp_path / f"mask{suffix}", [mask], fps=FILM, codec=codec)
    back = read_video(tmp_path / f"mask{suffix}").frames
    assert np.array_equal(threshold(back), mask)
    if codec == "h264":
        # Ringing stays within some pixels of an edge; flat parts keep their value exactly.
        assert (np.unique(back[:, :2]).tolist(), np.unique(back[:, 18:22, 24:28]).tolist()) == ([0], [255])
    else:
        assert np.array_equal(back, np.repeat(mask, 3, axis=3))


@pytest.mark.parametrize("codec", [name for name, codec in CODECS.items() if codec.alpha_pixels is None])
def test_alpha_is_never_dropped_silently(codec: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{CODECS[codec].suffixes[0]}"
    with pytest.raises(MediaError, match="no alpha channel") as caught:
        write_video(path, [moving(2, channels=4)], fps=FILM, codec=codec)
    assert "prores4444" in str(caught.value.hint)
    assert not path.exists()


@pytest.mark.parametrize(("suffix", "codec"), [(".mov", "prores4444"), (".mkv", "ffv1"), (".webm", "vp9")])
def test_the_usual_codec_of_a_container_is_one_with_alpha_where_there_is_some(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    assert choose_codec(None, suffix, alpha=True).name == codec
    path = tmp_path / f"clip{suffix}"
    assert write_video(path, [moving(1, channels=4)], fps=FILM).codec == codec
    assert read_video(path).frames.shape == (1, 48, 64, 4)


@pytest.mark.parametrize(
    ("codec", "suffix", "words"),
    [(None, ".mp4", "output: '.mp4' has no alpha"), ("hevc", ".mov", "codec: hevc has no alpha")],
)
def test_alpha_is_refused_by_name_before_there_are_frames(codec: str, suffix: str, words: str) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        choose_codec(codec, suffix, alpha=True)
    assert caught.value.hint


def test_hevc_is_tagged_for_players_of_apple(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [numbered(2)], fps=FILM, codec="hevc")
    with av.open(str(tmp_path / "clip.mp4")) as opened:
        assert opened.streams.video[0].codec_context.codec_tag == "hvc1"


def test_a_wrong_pair_names_the_suffixes_that_work() -> None:
    with pytest.raises(MediaError, match=r"prores cannot go into '.mp4'") as caught:
        choose_codec("prores", ".mp4")
    assert caught.value.hint == "name the file .mov or .mkv"


def test_an_unknown_codec_names_the_nearest() -> None:
    with pytest.raises(MediaError, match="'h265' is unknown") as caught:
        choose_codec("h265", ".mp4")
    assert "h264" in str(caught.value.hint)


def test_an_unknown_container_is_refused() -> None:
    with pytest.raises(MediaError, match=r"'.xyz' is not a video we write"):
        choose_codec(None, ".xyz")


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".MP4", "h264"), (".mov", "h264"), (".mkv", "h264"), (".webm", "vp9")]
)
def test_each_container_has_a_usual_codec(suffix: str, codec: str) -> None:
    assert choose_codec(None, suffix).name == codec


def test_crf_is_checked_against_the_codec() -> None:
    assert CODECS["h264"].quality(None) == 16
    assert CODECS["h264"].quality(0) == 0
    with pytest.raises(MediaError, match="52, must be 0 to 51"):
        CODECS["h264"].quality(52)
    with pytest.raises(MediaError, match="no such setting"):
        CODECS["prores"].quality(10)


def test_a_lower_crf_gives_a_better_picture(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8)
    good, poor = tmp_path / "good.mp4", tmp_path / "poor.mp4"
    write_video(good, [frames], fps=FILM, crf=5)
    write_video(poor, [frames], fps=FILM, crf=45)
    assert good.stat().st_size > 3 * poor.stat().st_size
    assert psnr(read_video(good).frames, frames) > psnr(read_video(poor).frames, frames) + 1


def test_encoders_write_nothing_to_stderr(tmp_path: Path) -> None:
    program = (
        "import numpy, sys; from fractions import Fraction; from pathlib import Path\n"
        "from wangp_cli.media.write import write_video\n"
        "for codec in ('hevc', 'av1', 'h264'):\n"
        "    frames = numpy.zeros((2, 64, 64, 3), 'uint8')\n"
        "    write_video(Path(sys.argv[1]), [frames], fps=Fraction(8), codec=codec)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "clip.mp4")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_same_frames_give_the_same_h264_bytes_every_time(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    picture = random.random((6, 10, 3)).repeat(8, 0).repeat(8, 1)
    frames = np.stack([np.roll(picture, 3 * shift, 1) for shift in range(9)]) * 0.7
    frames = (frames + 0.3 * random.random(frames.shape)).astype(np.float32)
    sums = set()
    for attempt in range(8):
        path = tmp_path / f"{attempt}.mp4"
        write_video(path, chunks(frames, 4), fps=Fraction(8))
        sums.add(path.read_bytes())
    assert len(sums) == 1


@pytest.mark.parametrize(
    ("codec", "suffix", "most", "too_many"),
    [("av1", ".mp4", 240, 241), ("h264", ".mkv", 500, 501), ("vp9", ".webm", 500, 1024)],
)
def test_rates_that_time_stamps_or_the_codec_cannot_hold_are_refused(
    codec: str, suffix: str, most: int, too_many: int
) -> None:
    check_rate(CODECS[codec], suffix, Fraction(most))
    with pytest.raises(MediaError, match=rf"at most {most} frames per second, not {too_many}"):
        check_rate(CODECS[codec], suffix, Fraction(too_many))
    check_rate(CODECS["h264"], ".mp4", Fraction(2000))
