"""Maps on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wangp_cli.preprocess.map_spool import MapSpool


def test_maps_come_back_in_their_order_and_leave_no_file(tmp_path: Path) -> None:
    maps = [np.full((3, 5), value, np.float32) for value in (0.1, 2, 3)]
    with MapSpool(tmp_path, np.float32) as spool:
        for one in maps:
            spool.add(one)
        assert len(spool) == 3
        assert np.array_equal(np.stack(list(spool)), maps)
        assert np.array_equal(next(iter(spool)), maps[0])
        assert list(tmp_path.iterdir()) == []


def test_fewer_bits_take_less_room(tmp_path: Path) -> None:
    with MapSpool(tmp_path, np.float16) as spool:
        spool.add(np.array([1 / 3, 2000], np.float32))
        assert next(iter(spool)).tolist() == pytest.approx([1 / 3, 2000], rel=1e-3)
