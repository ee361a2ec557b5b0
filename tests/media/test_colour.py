"""Colour conversion, against the equations of BT.709."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.clips import moving, psnr
from wangp_cli.media.clip import as_float
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import write_video

COLOURS = {
    "white": (255, 255, 255), "black": (0, 0, 0), "red": (255, 0, 0), "green": (0, 255, 0),
    "blue": (0, 0, 255), "skin": (222, 171, 140),
}  # fmt: skip


def bt709_codes(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    red, green, blue = (value / 255 for value in rgb)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return 16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748


@pytest.mark.parametrize("name", COLOURS)
def test_codes_in_the_file_are_those_of_bt709(name: str, tmp_path: Path) -> None:
    frames = np.full((2, 16, 16, 3), COLOURS[name], np.uint8)
    write_video(tmp_path / "flat.mp4", [frames], fps=Fraction(24), crf=1)
    with av.open(str(tmp_path / "flat.mp4")) as opened:
        planes = next(opened.decode(video=0)).to_ndarray()
    luma, blue, red = planes[:16].mean(), planes[16:20].mean(), planes[20:24].mean()
    assert (luma, blue, red) == pytest.approx(bt709_codes(COLOURS[name]), abs=1.0)


@pytest.mark.parametrize("codec", ["h264", "h264-10", "hevc", "prores"])
def test_colours_come_back(codec: str, tmp_path: Path) -> None:
    frames = np.repeat(np.array(list(COLOURS.values()), np.uint8)[:, None, None], 16, 1).repeat(16, 2)
    write_video(
        tmp_path / "flat.mov", [frames], fps=Fraction(24), codec=codec, crf=None if codec == "prores" else 1
    )
    back = as_float(read_video(tmp_path / "flat.mov").frames) * 255
    assert np.abs(back - frames).max() <= 3


def test_chroma_does_not_drift_over_generations(tmp_path: Path) -> None:
    x = np.arange(64)
    red = 0.5 + 0.35 * np.sin(x / 3)
    stripes = np.stack([red, np.full(64, 0.4), 1 - red], axis=1).astype(np.float32)
    first = np.broadcast_to(stripes[None, None], (1, 48, 64, 3)).copy()
    frames = first
    for _ in range(4):
        write_video(tmp_path / "again.mp4", [frames], fps=Fraction(24), codec="h264-10", crf=1)
        frames = read_video(tmp_path / "again.mp4").frames
    # Chroma sited in the centre on one side and left on the other moves by a quarter pixel each time.
    best = min(
        range(-3, 4),
        key=lambda shift: float(np.abs(np.roll(as_float(frames), shift, 2) - first)[:, :, 8:-8].mean()),
    )
    assert best == 0
    assert psnr(as_float(frames)[:, :, 8:-8], first[:, :, 8:-8]) > 30


def test_a_file_without_tags_reads_as_bt601(tmp_path: Path) -> None:
    red = np.full((48, 64, 3), (200, 30, 30), np.uint8)
    path = tmp_path / "untagged.mp4"
    with av.open(str(path), "w") as opened:
        stream = opened.add_stream("libx264", rate=24, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for packet in [*stream.encode(av.VideoFrame.from_ndarray(red)), *stream.encode(None)]:
            opened.mux(packet)
    assert np.abs(read_video(path).frames.astype(int) - red).max() <= 3


def test_grey_frames_of_one_channel_are_written_as_grey(tmp_path: Path) -> None:
    mask = moving(2, channels=1)
    write_video(tmp_path / "mask.mkv", [mask], fps=Fraction(24), codec="ffv1")
    assert np.array_equal(read_video(tmp_path / "mask.mkv").frames, np.repeat(mask, 3, axis=3))
