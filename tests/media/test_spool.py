"""Frames that wait on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wangp_cli.errors import GenerationError, MediaError
from wangp_cli.media.clip import as_uint16
from wangp_cli.media.spool import Spool, write_spool

SHAPE = (7, 4, 6, 3)
FRAMES = np.random.default_rng(0).random(SHAPE, np.float32)


def spooled(path: Path) -> Spool:
    write_spool(path, [FRAMES[:1], FRAMES[1:5], FRAMES[5:]], SHAPE, "it")
    return Spool(path, SHAPE)


def test_slices_are_the_frames_rounded_once(tmp_path: Path) -> None:
    with spooled(tmp_path / "a.npy") as spool:
        assert len(spool) == 7
        for place in (slice(0, 7), slice(2, 3), slice(-2, None), slice(5, 99), slice(4, 4)):
            assert np.array_equal(spool[place], as_uint16(FRAMES)[place])
        assert all(np.array_equal(one, other) for one, other in zip(spool, as_uint16(FRAMES), strict=True))
    assert np.array_equal(np.load(tmp_path / "a.npy"), as_uint16(FRAMES))


def test_an_open_spool_outlives_its_name(tmp_path: Path) -> None:
    with spooled(tmp_path / "a.npy") as spool:
        (tmp_path / "a.npy").unlink()
        assert np.array_equal(spool[3:5], as_uint16(FRAMES)[3:5])


def test_files_of_another_shape_or_length_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    spooled(path).__exit__()
    with pytest.raises(MediaError, match=r"a\.npy"):
        Spool(path, (7, 6, 4, 3))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MediaError):
        Spool(path, SHAPE)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (FRAMES[:6], "it has 6 frames, planned were 7"),
        (FRAMES[:, :, :4], "planned were"),
        (np.full(SHAPE, np.nan, np.float32), "not finite"),
    ],
)
def test_what_was_not_planned_is_refused(tmp_path: Path, frames: np.ndarray, message: str) -> None:
    with pytest.raises(GenerationError, match=message):
        write_spool(tmp_path / "a.npy", [frames], SHAPE, "it")
