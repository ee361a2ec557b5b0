"""Reading videos, exactly."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.clips import moving, numbered, numbers, psnr, tone
from wangp_cli.errors import MediaError
from wangp_cli.media.channels import to_audio_frame
from wangp_cli.media.clip import as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_frames, read_video, read_video_or_still, stream_video
from wangp_cli.media.stills import read_image, write_image
from wangp_cli.media.write import write_video


@pytest.fixture(
    scope="module", params=["h264.mp4", "h264.mkv", "vp9.webm", "hevc.mov", "av1.mp4", "ffv1.mkv"]
)
def long(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    codec, suffix = request.param.split(".")
    path = tmp_path_factory.mktemp("long") / f"long.{suffix}"
    write_video(path, [numbered(70)], fps=Fraction(24000, 1001), codec=codec)
    return path


def test_every_frame_is_found_by_its_number(long: Path) -> None:
    assert numbers(read_video(long).frames) == list(range(70))
    for start, count in [(0, 1), (1, 3), (33, 4), (68, 2), (69, 1)]:
        assert numbers(read_video(long, start=start, count=count).frames) == list(range(start, start + count))


def test_single_frames_come_in_the_order_asked_for(long: Path) -> None:
    assert numbers(read_frames(long, [69, 0, 17, 17])) == [69, 0, 17, 17]


def test_a_stream_gives_all_frames_in_small_pieces(long: Path) -> None:
    pieces = list(stream_video(long, start=3, count=40, chunk=16))
    assert [len(piece) for piece in pieces] == [16, 16, 8]
    assert numbers(np.concatenate(pieces)) == list(range(3, 43))


def test_a_stream_may_be_left_early(long: Path) -> None:
    stream = stream_video(long, chunk=2)
    assert numbers(next(stream)) == [0, 1]
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("start", "count"), [(70, 1), (69, 2), (-1, 1), (0, 0)])
def test_frames_that_are_not_there_are_an_error(long: Path, start: int, count: int) -> None:
    with pytest.raises(MediaError, match="has 70 frames, asked for"):
        read_video(long, start=start, count=count)


@pytest.mark.parametrize("fps", ["24000/1001", "30000/1001", "60000/1001", "16", "25", "12.5", "1", "240"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_the_rate_comes_back_exactly(fps: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    write_video(path, [moving(7, 16, 16)], fps=Fraction(fps))
    assert read_video(path).fps == Fraction(fps)


def test_a_video_held_upright_by_its_matrix_is_read_upright(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    frames = moving(2)
    write_video(path, [frames], fps=Fraction(8), crf=5)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    # A quarter turn clockwise, in 16.16 fixed point.
    turn = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    content[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in turn)
    path.write_bytes(content)

    clip = read_video(path)

    assert clip.size == (48, 64)
    assert (probe(path).width, probe(path).height) == (48, 64)
    assert psnr(clip.frames, np.rot90(frames, -1, axes=(1, 2))) > 35


def test_audio_of_some_frames_starts_and_ends_with_them(tmp_path: Path) -> None:
    path, sound = tmp_path / "clip.mkv", tone(2, 44100, 2)
    write_video(path, [numbered(40)], fps=Fraction(24000, 1001), audio=sound)
    clip = read_video(path, start=10, count=15)
    assert clip.audio is not None
    first, last = round(Fraction(10 * 44100 * 1001, 24000)), round(Fraction(25 * 44100 * 1001, 24000))
    assert clip.audio.samples.shape == (last - first, 2)
    assert np.abs(clip.audio.samples - sound.samples[first:last]).max() < 1e-4


@pytest.mark.parametrize(("picture_at", "sound_at"), [(0, 300), (300, 0), (200, 200)])
def test_audio_with_another_start_than_the_frames_is_aligned(
    picture_at: int, sound_at: int, tmp_path: Path
) -> None:
    path, loud = tmp_path / "apart.mkv", np.full((8000, 1), 0.5, np.float32)
    with av.open(str(path), "w") as opened:
        picture = opened.add_stream("ffv1", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "bgr0"
        sound = opened.add_stream("flac", rate=8000, layout="mono")
        for i, pixels in enumerate(moving(20)):
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts, frame.time_base = picture_at // 100 + i, Fraction(1, 10)
            opened.mux(picture.encode(frame))
        heard = to_audio_frame(loud, "mono", 8000)
        heard.pts, heard.time_base = sound_at * 8, Fraction(1, 8000)
        opened.mux([*sound.encode(heard), *sound.encode(None), *picture.encode(None)])

    clip = read_video(path)

    assert clip.audio is not None
    late = max(sound_at - picture_at, 0) * 8
    early = max(picture_at - sound_at, 0) * 8
    assert len(clip.audio.samples) == pytest.approx(late + 8000 - early, abs=8)
    assert not clip.audio.samples[: late - 8 if late else 0].any()
    assert clip.audio.samples[late + 8 :].min() > 0.49


def test_audio_can_be_left_out(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [moving(2)], fps=Fraction(8), audio=tone())
    assert read_video(tmp_path / "clip.mp4", audio=False).audio is None


def test_a_still_is_a_video_only_where_that_is_asked_for(tmp_path: Path) -> None:
    write_image(tmp_path / "still.png", moving(1)[0])
    clip = read_video_or_still(tmp_path / "still.png", fps=Fraction(25))
    assert (len(clip), clip.fps, clip.size) == (1, Fraction(25), (64, 48))
    with pytest.raises(MediaError, match="as video"):
        stream_video(tmp_path / "still.png")
    with pytest.raises(MediaError, match="is image, not video"):
        read_video(tmp_path / "still.png")


def test_an_animated_gif_is_a_video(tmp_path: Path) -> None:
    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in numbered(5)]
    first.save(tmp_path / "loop.gif", save_all=True, append_images=rest, duration=100)
    clip = read_video(tmp_path / "loop.gif")
    assert clip.fps == 10
    assert numbers(clip.frames[..., :3]) == [0, 1, 2, 3, 4]
    assert as_float(read_image(tmp_path / "loop.gif")).shape == (1, 48, 64, 3)


def test_frames_that_were_read_are_freed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write_video(path, [moving(40)], fps=Fraction(8), codec="ffv1")
    stream = stream_video(path, chunk=1)
    next(stream)
    gc.collect()
    gc.disable()
    try:
        for _ in range(30):
            next(stream)
        held = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert held < 10
