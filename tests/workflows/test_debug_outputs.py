"""How a planned video came about: kept parts, and a picture of the whole."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Make
from tests.support.planned_videos import VALUES, clip, plan_of
from wangp_cli.files.checksum import sha256_of
from wangp_cli.media.clip import as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image
from wangp_cli.media.timeline import PANEL_HEIGHT
from wangp_cli.runtime.workspace.segments_cache import FOLDER


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Three flat pictures: red, green and blue."""
    for index in range(3):
        write_image(tmp_path / f"{index}.png", np.full((1, 32, 32, 3), np.eye(3)[index] * 255, np.uint8))
    return [tmp_path / f"{index}.png" for index in range(3)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_parts_are_kept_losslessly_where_they_are_asked_for(
    make: Make, images: list[Path], tmp_path: Path
) -> None:
    made = make("tiny_vace", **VALUES, images=images, keep_intermediates=True, colour_match=0)
    folder = tmp_path / "made" / "7_intermediates"
    assert names(folder) == [
        f"{name}_00{index}.mkv" for name in ("control", "mask", "segment") for index in range(2)
    ]
    first, second = (read_video(folder / f"segment_00{index}.mkv").frames for index in range(2))
    segments = plan_of(made)["segments"]
    assert [len(first), len(second)] == [segment["generate"] for segment in segments]
    # Where no crossfade is, the result is the segments themselves.
    assert np.array_equal(made.frames[:5], first[:5])
    assert np.array_equal(made.frames[9:], second[segments[1]["drop"] + segments[1]["overlap"] :])
    control, mask = (as_uint8(read_video(folder / f"{name}_001.mkv").frames) for name in ("control", "mask"))
    assert control[-1, 0, 0].tolist() == [0, 0, 255]
    assert set(np.unique(mask)) == {0, 255}
    assert made.outcome.manifest is not None
    result, *parts = made.outcome.manifest["artifacts"]
    assert (result["role"], result["path"]) == ("video", str(made.path))
    assert {part["role"] for part in parts} == {"intermediate"}
    assert sorted(Path(part["path"]).name for part in parts) == names(folder)
    announced = {e.data["path"]: e.data["sha256"] for e in made.events if e.type == "artifact.created"}
    assert announced == {part["path"]: sha256_of(Path(part["path"])) for part in (result, *parts)}
    assert not (tmp_path / "made" / FOLDER).exists()
    assert names(tmp_path / "made") == ["7.mkv", "7_intermediates", "manifests"]


@pytest.mark.slow
def test_a_travel_shows_its_guide_its_result_and_its_pictures(make: Make, images: list[Path]) -> None:
    made = make("tiny_vace", **VALUES, images=images, visualize=True)
    video, picture = made.outcome.artifacts
    assert (video.role, picture.role) == ("video", "visualization")
    assert picture.path.endswith("7_visualization.mp4")
    facts = probe(picture.path)
    assert (facts.frames, facts.fps) == (18, Fraction(16))
    frames = as_uint8(read_video(picture.path).frames).astype(int)
    assert facts.height > PANEL_HEIGHT
    # The guide begins red, is grey between and ends blue.
    guide = frames[:, 200, 200]
    assert guide[0][0] > 200 > guide[0][1] + 100
    assert np.abs(guide[4] - 128).max() < 12
    assert guide[-1][2] > 200 > guide[-1][0] + 100
    # The cursor runs along the bar from left to right.
    bar = PANEL_HEIGHT + 60
    places = (
        (frames[:, bar - 4 : bar - 1, :, 0] - frames[:, bar - 4 : bar - 1, :, 2]).sum(axis=1).argmax(axis=1)
    )
    assert all(one < other for one, other in pairwise(places.tolist()))
    # The middle picture stands under its frame.
    green = (frames[0, ..., 1] > 200) & (frames[0, ..., 0] < 60)
    assert abs(np.flatnonzero(green.any(axis=0)).mean() - (16 + (facts.width - 33) * 8 / 17)) < 6


@pytest.mark.slow
def test_a_join_is_shown_with_what_it_keeps(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, "a", 11), clip(tmp_path, "b", 9)]
    made = make("tiny_vace", type="join", clips=clips, gap=5, context=2, visualize=True, name="joined")
    video, picture = made.outcome.artifacts
    assert probe(picture.path).frames == probe(video.path).frames == 25
    again = make("tiny_vace", type="join", clips=clips, gap=5, context=2, visualize=True, name="joined")
    assert again.outcome.error is not None
    Path(video.path).unlink()
    again = make("tiny_vace", type="join", clips=clips, gap=5, context=2, visualize=True, name="joined")
    assert "joined_visualization.mp4 exists" in str(again.outcome.error)
