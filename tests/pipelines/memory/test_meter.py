"""Free memory of a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from wangp_cli.pipelines.memory import meter


def test_free_memory_of_this_machine_is_known() -> None:
    assert 10**8 < meter.free("cpu") < 10**14


def test_a_container_with_less_memory_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("2000000\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 400000\nactive_file 0\n")
    monkeypatch.setattr(meter, "CONTROL_GROUP", tmp_path)
    assert meter.free("cpu") == 900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert meter.free("cpu") > 10**8


@pytest.mark.parametrize(
    ("available", "side"), [(10**6, None), (10**6 - 1, 512), (512**2 - 1, 256), (128**2, 128), (1, 128)]
)
def test_the_largest_tile_that_fits_is_used(available: int, side: int | None) -> None:
    assert meter.tile_side(lambda height, width: height * width, 1000, 1000, available) == side
