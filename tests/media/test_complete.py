"""Files that are cut off, in every container."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.support.ffmpeg import ffmpeg
from wangp_cli.errors import MediaError
from wangp_cli.media.complete import check_complete
from wangp_cli.media.facts import probe

FRAMES = 24
ENCODED = [
    ("clip.mp4", "-c copy -movflags faststart"),
    ("clip.mkv", "-c copy"),
    ("live.mkv", "-c copy -f matroska"),
    ("clip.ts", "-c copy"),
    ("clip.m2ts", "-c copy"),
    ("clip.mpg", "-c copy"),
    ("clip.avi", "-c copy"),
]
OTHERS = [
    ("clip.mov", "-c:v mjpeg -movflags faststart"),
    ("part.mp4", "-c copy -movflags frag_keyframe+empty_moov"),
    ("clip.webm", "-c:v libvpx -deadline realtime"),
    ("live.webm", "-c:v libvpx -deadline realtime -f webm"),
    ("clip.flv", "-c:v flv"),
    ("clip.wmv", "-c:v wmv2"),
    ("clip.ogv", "-c:v libtheora -q:v 9 -g 1"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cut") / "source.ts"
    ffmpeg(f"-f lavfi -i testsrc2=s=96x64:r=24 -frames:v {FRAMES} -c:v mpeg2video -q:v 2 -bf 2 -g 6", path)
    return path


@pytest.mark.parametrize(
    ("name", "options"), [*ENCODED, *(pytest.param(*each, marks=pytest.mark.slow) for each in OTHERS)]
)
def test_a_cut_is_told_with_the_frames_that_are_there(
    name: str, options: str, source: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    if name.startswith("live"):
        # What cannot seek in its output leaves sizes open.
        path.write_bytes(ffmpeg("-i", source, options, "-"))
    else:
        ffmpeg("-i", source, options, path)
    check_complete(path)
    assert probe(path).frames == FRAMES
    whole = path.read_bytes()
    for share in (0.5, 0.7, 0.9):
        path.write_bytes(whole[: int(len(whole) * share) | 1])
        with pytest.raises(MediaError, match="is cut off") as caught:
            probe(path)
        told = re.search(r"with (\d+) frames", str(caught.value))
        assert told is not None
        assert int(told[1]) == pytest.approx(FRAMES * share, abs=6)
        assert caught.value.hint is not None


def test_a_gif_is_cut_off_within_a_block_but_not_before_its_trailer(tmp_path: Path) -> None:
    path = tmp_path / "clip.gif"
    first, *rest = (Image.radial_gradient("L").resize((40 + i, 40)).resize((40, 40)) for i in range(5))
    first.save(path, save_all=True, append_images=rest, duration=100)
    whole = path.read_bytes()
    for content in (whole, whole[:-1], whole + b"\0\0"):
        path.write_bytes(content)
        assert probe(path).frames == 5
    path.write_bytes(whole[:-30])
    with pytest.raises(MediaError, match=r"is cut off: .* with [345] frames"):
        probe(path)


def test_an_animated_png_is_cut_off_without_its_trailer(tmp_path: Path) -> None:
    path = tmp_path / "clip.png"
    first, *rest = (Image.radial_gradient("L").resize((40 + i, 40)).resize((40, 40)) for i in range(5))
    first.save(path, save_all=True, append_images=rest, duration=100)
    whole = path.read_bytes()
    assert probe(path).frames == 5
    for lost in (4, 12, 40):
        path.write_bytes(whole[:-lost])
        with pytest.raises(MediaError, match=r"is cut off: .* with [45] frames"):
            probe(path)


def test_a_video_whose_index_is_lost_has_no_frames(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    ffmpeg("-i", source, "-c copy", path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(MediaError, match=r"is cut off: .* with 0 frames") as caught:
        probe(path)
    assert caught.value.hint is None


def test_audio_that_is_cut_off_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.ogg"
    ffmpeg("-f lavfi -i sine=d=2 -c:a libvorbis", path)
    path.write_bytes(path.read_bytes()[:-1500])
    facts = probe(path)
    assert facts.kind == "audio"
    assert 1 < facts.seconds < 2
