"""Orientation of stored pictures."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.clips import moving
from wangp_cli.media.facts import probe
from wangp_cli.media.orientation import Orientation
from wangp_cli.media.read_video import read_video

ONE = 1 << 16
MATRICES = {
    1: (ONE, 0, 0, ONE), 2: (-ONE, 0, 0, ONE), 3: (-ONE, 0, 0, -ONE), 4: (ONE, 0, 0, -ONE),
    5: (0, ONE, ONE, 0), 6: (0, ONE, -ONE, 0), 7: (0, -ONE, -ONE, 0), 8: (0, -ONE, ONE, 0),
}  # fmt: skip
"""a, b, c and d of the display matrix that says the same as each EXIF orientation."""


def stored(upright: np.ndarray, exif: int) -> np.ndarray:
    """What a camera stores of an upright picture with that orientation."""
    if exif in {3, 4, 7, 8}:
        upright = upright[::-1]
    if exif in {2, 3, 6, 7}:
        upright = upright[:, ::-1]
    return np.ascontiguousarray(upright.swapaxes(0, 1) if exif >= 5 else upright)


@pytest.mark.parametrize("exif", MATRICES)
def test_exif_and_display_matrix_say_the_same(exif: int) -> None:
    a, b, c, d = MATRICES[exif]
    matrix = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes()
    orientation = Orientation.from_display_matrix(matrix)
    assert orientation == Orientation.from_exif(exif)
    upright = moving(1, 6, 4)[0]
    assert np.array_equal(orientation.apply(stored(upright, exif)), upright)
    assert orientation.size(*stored(upright, exif).shape[1::-1]) == (6, 4)
    assert (orientation.notice is None) == (exif == 1)
    assert ("mirrored" in (orientation.notice or "")) == (exif in {2, 4, 5, 7})


def test_angles_between_quarter_turns_go_to_the_nearest() -> None:
    eleven_degrees = np.array([64332, 12505, 0, -12505, 64332, 0, 0, 0, 1 << 30], np.int32).tobytes()
    assert Orientation.from_display_matrix(eleven_degrees) == Orientation()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("exif", [2, 4, 5, 6, 7])
def test_videos_are_read_upright(exif: int, suffix: str, tmp_path: Path) -> None:
    upright = moving(1, 48, 32)[0]
    picture = stored(upright, exif)
    a, b, c, d = MATRICES[exif]
    with av.open(str(tmp_path / f"phone{suffix}"), "w") as opened:
        stream = opened.add_stream("libx264rgb", rate=24, options={"qp": "0"})
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "rgb24"
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        opened.mux([*stream.encode(av.VideoFrame.from_ndarray(picture)), *stream.encode(None)])
    assert np.array_equal(read_video(tmp_path / f"phone{suffix}").frames[0], upright)
    facts = probe(tmp_path / f"phone{suffix}")
    assert (facts.width, facts.height, len(facts.notices)) == (48, 32, 1)
