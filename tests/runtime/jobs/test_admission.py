"""Admission of task lines as jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.jobs.conftest import Admit


def test_every_shard_gives_a_line_the_same_name(admit: Admit, tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [{}] * 6
    whole = [one.task_id for one in admit(*lines, folder=tmp_path / "whole")]
    first = [one.task_id for one in admit(*lines, folder=tmp_path / "parts", shard=(1, 2))]
    second = [one.task_id for one in admit(*lines, folder=tmp_path / "parts", shard=(2, 2))]
    assert (first, second) == (whole[::2], whole[1::2])


def test_affinity_is_of_what_must_be_loaded(admit: Admit) -> None:
    results = admit({"seed": 1}, {"seed": 2}, {"vae_tiling": 256}, {"model": "noop2"})
    found = [one.job.affinity for one in results if one.job]
    assert found[0] == found[1]
    assert len(set(found)) == 3


@pytest.mark.parametrize("where", ["link", "link/deeper"])
def test_a_link_out_of_the_folder_is_not_followed(admit: Admit, tmp_path: Path, where: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    [result] = admit({"output_dir": where})
    assert result.error is not None
    assert "leads out" in result.error.message
