"""Maps on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wangp_cli.preprocess.map_spool import MapSpool


def test_maps_come_back_in_their_order_and_leave_no_file(tmp_path: Path) -> None:
    maps = [np.full((3, 5), value, np.float32) for value in (0.1, 2, 3)]
    spool = MapSpool(tmp_path, np.float32)
    for index, one in enumerate(maps):
        spool.add(one)
        # Reading does not disturb what is added next.
        assert np.array_equal(spool[index : index + 1][0], one)
    assert len(spool) == 3
    assert np.array_equal(np.stack(list(spool)), maps)
    assert np.array_equal(spool[1:9], maps[1:])
    assert spool[2:1].shape == (0, 3, 5)
    assert list(tmp_path.iterdir()) == []


def test_maps_are_kept_in_the_dtype_asked_for(tmp_path: Path) -> None:
    spool = MapSpool(tmp_path, np.float16)
    spool.add(np.array([1 / 3, 2000], np.float32))
    assert next(iter(spool)).tolist() == pytest.approx([1 / 3, 2000], rel=1e-3)
