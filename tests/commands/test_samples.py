"""The payloads in docs/samples run as they are written, with the model that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run
from wangp_cli.media.facts import probe

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
FRAMES = {"travel_payload.json": 30, "join_payload.json": 14 + 13 + 14}


@pytest.mark.parametrize("name", FRAMES)
def test_a_sample_says_how_long_it_becomes(run: Run, name: str) -> None:
    shown = run("batch", SAMPLES / name, "--dry-run", code=0).json()
    assert (shown["plan"]["total"], shown["plan"]["fps"]) == (FRAMES[name], "8")
    assert shown["request"]["model"] == "starter"
    assert not [notice for notice in shown["notices"] if "trained" in notice]


@pytest.mark.slow
@pytest.mark.parametrize("name", FRAMES)
def test_a_sample_runs(run: Run, name: str, tmp_path: Path) -> None:
    result = run("batch", SAMPLES / name, "--output-dir", tmp_path / "out", code=0)
    made = probe(Path(result.only("artifact.created")["path"]))
    assert (made.frames, made.width, made.height, str(made.fps)) == (FRAMES[name], 96, 96, "8")


def test_samples_are_small() -> None:
    assert sum(file.stat().st_size for file in SAMPLES.iterdir()) < 40_000
