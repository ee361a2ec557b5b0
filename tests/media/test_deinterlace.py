"""Deinterlacing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph

from tests.support.clips import psnr
from tests.support.ffmpeg import ffmpeg
from wangp_cli.media.clip import Frames
from wangp_cli.media.deinterlace import deinterlace
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_frames, read_video
from wangp_cli.media.write import write_video

FRAMES, MIDDLE = 6, 3
CODECS = {
    "{}.mp4": "libx264 -flags +ilme+ildct -crf 4 -x264-params {}=1",
    "{}.mkv": "ffv1 -field_order {}",
    "{}.mov": "prores_ks -flags +ildct",
    "{}.mpg": "mpeg2video -q:v 1 -flags +ilme+ildct",
    "utvideo_{}.mkv": "utvideo -field_order {}",
    "unflagged_{}.mkv": "libx264 -crf 4 -field_order {}",
}
"""Files with flags in their frames, in the container, or in both."""


def interlaced(order: str) -> tuple[Frames, Frames]:
    """Frames of a disc and stripes that move with every field, and the moments of their first fields."""
    y, x = np.mgrid[:64, :96]
    fields = []
    for time in range(2 * FRAMES):
        disc = np.hypot(x - 20 - 4 * time, y - 30) < 14
        stripes = 0.5 + 0.3 * np.sin((x + 3 * time) / 5)
        fields.append((np.where(disc, 1, stripes)[..., None] * np.array([255, 200, 90])).astype(np.uint8))
    first, second = np.stack(fields[::2]), np.stack(fields[1::2])
    woven = first.copy()
    row = 1 if order == "tff" else 0
    woven[:, row::2] = second[:, row::2]
    return woven, first


@pytest.fixture(scope="module", params=["tff", "bff"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of `CODECS` with one field order, which is the name of the folder."""
    order = request.param
    folder: Path = tmp_path_factory.mktemp("fields") / order
    folder.mkdir()
    write_video(folder / "woven.mkv", [interlaced(order)[0]], fps=Fraction(25), codec="ffv1")
    parts: list[object] = []
    for name, codec in CODECS.items():
        fields = "tt" if order == "tff" else "bb"
        word = order if "x264-params" in codec else fields
        flag = "prog" if name.startswith("unflagged") else order
        top = f"-top {int(order == 'tff')}"
        pixels = "yuv422p10le" if name.endswith(".mov") else "yuv420p"
        parts += [
            f"-vf setfield={flag},format={pixels} -c:v {codec.format(word)} {top}",
            folder / name.format(order),
        ]
    ffmpeg("-i", folder / "woven.mkv", *parts)
    return folder


@pytest.mark.parametrize("name", CODECS)
def test_interlaced_frames_are_deinterlaced_one_for_one(name: str, folder: Path) -> None:
    path, (woven, first) = folder / name.format(folder.name), interlaced(folder.name)
    frames = read_video(path).frames
    assert len(frames) == FRAMES
    assert psnr(frames[1:-1], first[1:-1]) > psnr(woven[1:-1], first[1:-1]) + 6
    facts = probe(path)
    assert facts.field_order in {
        "interlaced",
        "top field first" if folder.name == "tff" else "bottom field first",
    }
    assert [notice for notice in facts.notices if "deinterlaced" in notice]


def test_a_frame_read_alone_is_the_same(folder: Path) -> None:
    path = folder / f"{folder.name}.mp4"
    assert np.array_equal(read_frames(path, [MIDDLE])[0], read_video(path).frames[MIDDLE])


def test_progressive_frames_that_are_stored_as_interlaced_stay_as_they_are(tmp_path: Path) -> None:
    frames = interlaced("tff")[1]
    write_video(tmp_path / "film.mkv", [frames], fps=Fraction(25), codec="ffv1")
    ffmpeg("-i", tmp_path / "film.mkv", "-vf setfield=tff -c:v ffv1 -field_order tt", tmp_path / "psf.mkv")
    assert probe(tmp_path / "psf.mkv").field_order == "top field first"
    assert np.array_equal(read_video(tmp_path / "psf.mkv").frames, frames)


def test_interlaced_frames_after_progressive_ones_are_deinterlaced(tmp_path: Path) -> None:
    woven, first = interlaced("tff")
    flagged = []
    for number, frame in enumerate([*first[:3], *woven[3:]]):
        graph = Graph()
        nodes = [graph.add_buffer(width=96, height=64, format="rgb24", time_base=Fraction(1, 25))]  # type: ignore[arg-type]
        nodes += [graph.add("setfield", "tff" if number >= 3 else "prog"), graph.add("format", "gbrp")]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        picture = av.VideoFrame.from_ndarray(frame)
        picture.pts = number
        graph.vpush(picture)
        flagged.append(graph.vpull())
        flagged[-1].pts = 100 + number
    result = list(deinterlace(flagged, None))
    assert [frame.pts for frame in result] == list(range(100, 106))
    assert result[:3] == flagged[:3]
    pixels = np.stack([frame.to_ndarray(format="rgb24") for frame in result])
    assert np.array_equal(pixels[:3], first[:3])
    assert psnr(pixels[3:-1], first[3:-1]) > psnr(woven[3:-1], first[3:-1]) + 6
