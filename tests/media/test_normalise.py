"""Decoded frames as models see them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.clips import moving, psnr
from tests.support.ffmpeg import ffmpeg
from wangp_cli.errors import MediaError
from wangp_cli.media.facts import probe
from wangp_cli.media.normalise import Normaliser
from wangp_cli.media.read_video import read_video
from wangp_cli.media.resize import fit
from wangp_cli.media.write import write_video

CODES = {"ycgco": 8, "bt2020c": 10}
PQ = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc"
UNTAGGED = "-f lavfi -i testsrc2=s=64x48:d=0.1 -pix_fmt yuv420p10le"
WIDE = moving(2, 186, 96)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video with pixels of 16:11, said by the codec, by the container, and by one against the other."""
    folder = tmp_path_factory.mktemp("sar")
    write_video(folder / "square.mp4", [fit(WIDE, 128, 96, "stretch")], fps=Fraction(24), crf=4)
    ffmpeg(
        "-i",
        folder / "square.mp4",
        "-vf setsar=16/11 -c:v libx264 -crf 4",
        folder / "codec.mp4",
        "-c copy -aspect 64:33",
        folder / "container.mp4",
        "-c copy -aspect 64:33",
        folder / "container.mkv",
    )
    return folder


@pytest.mark.parametrize("name", ["codec.mp4", "container.mp4", "container.mkv"])
def test_pixels_become_square(name: str, folder: Path) -> None:
    frames, facts = read_video(folder / name).frames, probe(folder / name)
    assert frames.shape[1:3] == (facts.height, facts.width) == (96, 186)
    assert psnr(frames[:1], WIDE[:1]) > 30
    assert (facts.sample_aspect_ratio, facts.display_aspect_ratio) == ("16:11", "64:33")
    assert facts.notices == ("its pixels of 16:11 are scaled to square ones, 128x96 to 186x96",)


def test_nearly_square_pixels_stay(folder: Path, tmp_path: Path) -> None:
    ffmpeg("-i", folder / "square.mp4", "-c copy -aspect 4029:3000", tmp_path / "near.mp4")
    assert np.array_equal(read_video(tmp_path / "near.mp4").frames, read_video(folder / "square.mp4").frames)
    assert probe(tmp_path / "near.mp4").notices == ()


def test_a_frame_stored_sideways_has_its_pixels_squared_before_it_is_turned(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "phone.mp4"), "w") as opened:
        stream = opened.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        stream.set_display_matrix([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30])
        picture = av.VideoFrame.from_ndarray(moving(1, 64, 48)[0])
        opened.mux([*stream.encode(picture), *stream.encode(None)])
    facts = probe(tmp_path / "phone.mp4")
    assert (facts.width, facts.height) == (48, 96)
    assert read_video(tmp_path / "phone.mp4").frames.shape == (1, 96, 48, 3)


@pytest.mark.parametrize("matrix", CODES)
def test_colours_that_cannot_be_converted_are_refused_when_a_file_is_probed(
    matrix: str, folder: Path, tmp_path: Path
) -> None:
    ffmpeg(
        "-i",
        folder / "square.mp4",
        f"-c copy -bsf:v h264_metadata=matrix_coefficients={CODES[matrix]}",
        tmp_path / "odd.mp4",
    )
    with pytest.raises(MediaError, match=f"odd.mp4.*{matrix}"):
        probe(tmp_path / "odd.mp4")


def test_dolby_vision_without_another_base_layer_is_refused(tmp_path: Path) -> None:
    codec = "-c:v libx265 -x265-params log-level=none -tag:v hvc1"
    ffmpeg(UNTAGGED, codec, tmp_path / "five.mp4", f"{codec} {PQ}", tmp_path / "eight.mp4")
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes().replace(b"hvc1", b"dvh1"))
    with pytest.raises(MediaError, match=r"five\.mp4.*Dolby Vision"):
        probe(tmp_path / "five.mp4")
    assert probe(tmp_path / "eight.mp4").transfer == "smpte2084"


@pytest.mark.parametrize("tags", ["-color_trc smpte2084", "-color_primaries bt2020", "-colorspace bt2020nc"])
def test_tags_that_come_together_are_told_by_one_of_them(tags: str, tmp_path: Path) -> None:
    ffmpeg(UNTAGGED, f"-c:v ffv1 {tags}", tmp_path / "hdr.mkv")
    facts = probe(tmp_path / "hdr.mkv")
    assert (facts.primaries, facts.matrix, len(facts.notices)) == ("bt2020", "bt2020nc", 1)


def test_tags_of_the_container_count_where_the_codec_has_none(folder: Path, tmp_path: Path) -> None:
    ffmpeg("-i", folder / "square.mp4", f"-pix_fmt yuv420p10le -c:v ffv1 {PQ}", tmp_path / "pq.mkv")
    with av.open(str(tmp_path / "pq.mkv")) as opened:
        frame = next(opened.decode(video=0))
        picture = Normaliser(opened.streams.video[0]).describe(frame)
    assert (picture.primaries, picture.transfer, picture.matrix) == (9, 16, 9)
