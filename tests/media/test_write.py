"""Writing videos: what is refused, what is checked, what is left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.clips import moving, numbered, numbers, psnr
from wangp_cli.errors import Cancelled, GenerationError, MediaError
from wangp_cli.media import write
from wangp_cli.media.clip import Frames, chunks
from wangp_cli.media.codecs import CODECS
from wangp_cli.media.facts import MediaFacts, probe
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import VideoWriter, write_video

FPS = Fraction(24)
LONG = '{"prompt":"' + 'a naïve 🐉 \\n \\u001b[31m \\"quoted\\" ' * 1600 + '"}\nand a\x1b second line'


def test_frames_of_any_chunking_are_the_same_video(tmp_path: Path) -> None:
    frames = numbered(9)
    write_video(tmp_path / "one.mp4", [frames], fps=FPS)
    write_video(tmp_path / "many.mp4", (frames[i : i + 1] for i in range(9)), fps=FPS)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "many.mp4").read_bytes()
    assert numbers(read_video(tmp_path / "one.mp4").frames) == list(range(9))


def test_frames_are_taken_one_chunk_at_a_time(tmp_path: Path) -> None:
    taken = []

    def chunks() -> Iterator[Frames]:
        for i in range(4):
            taken.append(i)
            yield moving(1)

    write_video(tmp_path / "clip.mp4", chunks(), fps=FPS, frames=4)
    assert taken == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_kind_of_frames_is_written_alike(dtype: type, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mov", [moving(3, dtype=dtype)], fps=FPS, codec="prores4444")
    assert psnr(read_video(tmp_path / "clip.mov").frames, moving(3, dtype=np.float32)) > 50


@pytest.mark.parametrize("codec", CODECS)
def test_the_shortest_videos_are_written_every_time(codec: str, tmp_path: Path) -> None:
    suffix = CODECS[codec].suffixes[0]
    size = CODECS[codec].smallest if codec == "dnxhr" else (64, 48)
    for count in (1, 2, 3, 4):
        for _ in range(4):
            path = tmp_path / f"clip{suffix}"
            written = write_video(path, [numbered(count, *size)], fps=FPS, codec=codec)
            assert (written.width, written.height, written.codec) == (*size, codec)
            assert probe(path).frames == count


def test_a_single_frame_is_a_video(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv", ".webm", ".mov"):
        write_video(tmp_path / f"one{suffix}", [moving(1)], fps=Fraction(16), frames=1)
        assert probe(tmp_path / f"one{suffix}").frames == 1


@pytest.mark.parametrize(("odd", "even"), [("63x48", "62x48"), ("64x47", "64x46"), ("63x47", "62x46")])
def test_odd_sizes_name_the_even_size_and_another_codec(odd: str, even: str, tmp_path: Path) -> None:
    width, height = map(int, odd.split("x"))
    with pytest.raises(MediaError, match=f"{odd}.*{even}") as caught:
        write_video(tmp_path / "odd.mp4", [moving(1, width, height)], fps=FPS)
    assert caught.value.hint == f"--size {even}, or --codec h264-444"
    assert not (tmp_path / "odd.mp4").exists()


@pytest.mark.parametrize("codec", ["h264-444.mp4", "prores4444.mov", "ffv1.mkv"])
def test_odd_sizes_fit_codecs_of_full_colour(codec: str, tmp_path: Path) -> None:
    write_video(tmp_path / codec, [moving(2, 63, 47)], fps=FPS, codec=codec.split(".", maxsplit=1)[0])
    assert read_video(tmp_path / codec).size == (63, 47)


@pytest.mark.parametrize("odd_height", [47, 49])
def test_prores_takes_odd_heights(odd_height: int, tmp_path: Path) -> None:
    write_video(tmp_path / "odd.mov", [moving(2, 64, odd_height)], fps=FPS, codec="prores")
    assert read_video(tmp_path / "odd.mov").size == (64, odd_height)


def test_a_frame_too_small_for_the_codec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="64x48, codec dnxhr takes 256x120 or more"):
        write_video(tmp_path / "small.mov", [moving(1)], fps=FPS, codec="dnxhr")


def test_no_frames_are_an_error_and_leave_no_file(tmp_path: Path) -> None:
    for nothing in ([], [moving(2)[:0]]):
        with pytest.raises(GenerationError, match="no frames"):
            write_video(tmp_path / "none.mp4", nothing, fps=FPS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wanted", [2, 4])
def test_another_count_than_planned_is_an_error(wanted: int, tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match=f"3 frames, 3 were given, wanted {wanted}"):
        write_video(tmp_path / "clip.mp4", [moving(3)], fps=FPS, frames=wanted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    bad = moving(4, dtype=np.float32)
    bad[1, 5, 5, 1] = value
    with pytest.raises(GenerationError, match="frame 5 has values that are not finite"):
        write_video(tmp_path / "clip.mp4", [moving(4, dtype=np.float32), bad], fps=FPS)
    assert list(tmp_path.iterdir()) == []


def test_frames_may_not_change_on_the_way(tmp_path: Path) -> None:
    for other in (moving(1, 32, 48), moving(1, dtype=np.uint16), moving(1, channels=4)):
        with pytest.raises(GenerationError, match="frame 2 is"):
            write_video(tmp_path / "clip.mp4", [moving(2), other], fps=FPS)


def test_a_cancelled_source_leaves_no_file(tmp_path: Path) -> None:
    def chunks() -> Iterator[Frames]:
        yield moving(2)
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        write_video(tmp_path / "clip.mp4", chunks(), fps=FPS)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_video(tmp_path / "none" / "clip.mp4", [moving(1)], fps=FPS)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_a_full_disk_is_an_error_of_the_system_and_leaves_no_file(suffix: str, tmp_path: Path) -> None:
    program = """
import numpy, resource, signal, sys
from fractions import Fraction
from pathlib import Path
from typing import Any
from wangp_cli.media.write import write_video
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = numpy.random.default_rng(0)
try:
    chunks = (noise.integers(0, 256, (2, 64, 64, 3), "uint8") for _ in range(12))
    write_video(Path(sys.argv[1]), chunks, fps=Fraction(24))
except OSError as error:
    print(error.errno, Path(sys.argv[1]).exists())
"""
    path = tmp_path / f"clip{suffix}"
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("27 False\n", "")


def test_a_file_that_reads_back_otherwise_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = probe
    changes: list[dict[str, Any]] = [{"frames": 2}, {"width": 62}, {"fps": FPS + 1}, {"matrix": "smpte170m"}]
    for change in changes:
        monkeypatch.setattr(write, "probe", lambda path, change=change: _altered(real(path), change))
        with pytest.raises(GenerationError, match=r"clip\.mp4"):
            write_video(tmp_path / "clip.mp4", [moving(3)], fps=FPS)
        assert list(tmp_path.iterdir()) == []


def _altered(facts: MediaFacts, change: dict[str, Any]) -> MediaFacts:
    return replace(facts, **change)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_a_long_comment_comes_back_whole(suffix: str, tmp_path: Path) -> None:
    assert len(LONG.encode()) > 60_000
    path = tmp_path / f"clip{suffix}"
    write_video(path, [moving(1)], fps=FPS, comment=LONG)
    assert read_comment(path) == LONG
    with av.open(str(path)) as opened:
        assert opened.metadata["COMMENT" if suffix in {".mkv", ".webm"} else "comment"] == LONG


def test_a_comment_too_long_for_mov_is_refused_before_any_work(tmp_path: Path) -> None:
    def chunks() -> Iterator[Frames]:
        raise AssertionError("work began")
        yield

    with pytest.raises(MediaError, match="68 KB") as caught:
        write_video(tmp_path / "clip.mov", chunks(), fps=FPS, comment="x" * 70_000)
    assert "sidecar" in str(caught.value.hint)
    write_video(tmp_path / "clip.mp4", [moving(1)], fps=FPS, comment="x" * 70_000)
    assert read_comment(tmp_path / "clip.mp4") == "x" * 70_000


def test_no_comment_is_none(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [moving(1)], fps=FPS)
    assert read_comment(tmp_path / "clip.mp4") is None


def test_the_index_of_an_mp4_comes_first_for_streaming(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [moving(2)], fps=FPS)
    content = (tmp_path / "clip.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_writers_share_one_stream_of_frames(tmp_path: Path) -> None:
    with (
        VideoWriter(tmp_path / "colour.mp4", fps=FPS) as colour,
        VideoWriter(tmp_path / "alpha.mkv", fps=FPS, codec="ffv1") as alpha,
    ):
        for piece in chunks(moving(5, channels=4), 2):
            colour.add(piece[..., :3])
            alpha.add(piece[..., 3:])
        assert colour.finish().codec == "h264"
        alpha.finish(5)
    assert len(read_video(tmp_path / "colour.mp4")) == 5
    back = read_video(tmp_path / "alpha.mkv").frames
    assert np.array_equal(back[..., :1], moving(5, channels=4)[..., 3:])


def test_a_writer_that_is_not_finished_leaves_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", fps=FPS) as writer:
        writer.add(moving(2))
    with VideoWriter(tmp_path / "b.mp4", fps=FPS):
        pass
    assert list(tmp_path.iterdir()) == []
