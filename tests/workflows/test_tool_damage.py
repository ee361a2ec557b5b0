"""Tools whose input is damaged: what is made of the frames before is kept, and the task fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.damaged_files import intra_clip, wipe
from tests.support.task_types import NETWORKS, TASK_TYPES
from wangp_cli.errors import ConflictError, DamagedMediaError, RequestError
from wangp_cli.media.clip import as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.history.log import HISTORY
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.runtime.report.read_history import read_history
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.tool import Tool
from wangp_cli.value_layers import Layer


@pytest.fixture
def invert(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Invert a video in a session; gives the outcome."""
    monkeypatch.setenv("HOME", str(home))
    session = bootstrap.start([], tasks=TASK_TYPES, networks=NETWORKS)

    def call(video: Path, **values: object) -> Outcome:
        given = {"type": "invert", "video": video, "output": tmp_path / "out" / "b.mkv", **values}
        return execute(lambda: [Layer(kind="flag", values=given)], session)

    return call


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return intra_clip(tmp_path / "a.mp4", 24)


def test_frames_before_the_damage_are_kept_and_the_task_says_where_it_breaks(
    invert: Any, video: Path, tmp_path: Path
) -> None:
    original = as_float(read_video(video).frames)
    wipe(video, [20, 22])
    outcome = invert(video, codec="ffv1")
    made = tmp_path / "out" / "b_partial.mkv"
    assert isinstance(outcome.error, DamagedMediaError)
    assert (outcome.error.kind, outcome.exit_code) == ("damaged", 1)
    kept = f"what is made of the 20 frames before is kept in {made}"
    assert outcome.error.message == f"video: 'a.mp4' is damaged at frame 20 (2.50 s), {kept}"
    [artifact] = outcome.artifacts
    assert (artifact.role, artifact.path, artifact.frames) == ("partial", str(made), 20)
    assert [path.name for path in made.parent.iterdir() if path.is_file()] == ["b_partial.mkv"]
    np.testing.assert_allclose(as_float(read_video(made).frames), 1 - original[:20], atol=0.01)
    assert probe(made).audio_seconds == pytest.approx(2.5)
    [line] = (tmp_path / "out" / HISTORY).read_text().splitlines()
    assert json.loads(line)["status"] == "error"
    assert [one["path"] for one in json.loads(line)["artifacts"]] == [str(made)]
    [entry] = read_history(tmp_path / "out" / HISTORY, tmp_path / "out").entries
    assert (entry.status, [result.name for result in entry.results]) == ("failed", ["b_partial.mkv"])


def test_a_partial_result_is_never_taken_for_a_whole_one(invert: Any, video: Path, tmp_path: Path) -> None:
    whole = video.read_bytes()
    wipe(video, [3])
    assert isinstance(invert(video).error, DamagedMediaError)
    # It is neither replaced without leave nor is the task done because it is there.
    assert isinstance(invert(video).error, ConflictError)
    assert isinstance(invert(video, skip_existing=True).error, DamagedMediaError)
    video.write_bytes(whole)
    assert invert(video).error is None
    assert probe(tmp_path / "out" / "b.mkv").frames == 24


def test_every_tool_that_streams_a_video_reads_it_up_to_the_damage() -> None:
    streaming = [task for task in TASKS.values() if issubclass(task, Tool)]
    assert streaming
    for task in streaming:
        assert any(mark.until_damage for mark in task.inputs().values()), task


@pytest.mark.parametrize(
    ("tool", "frames"), [("upscale", 4), pytest.param("rife", 7, marks=pytest.mark.slow)]
)
def test_tools_keep_what_they_made_of_the_frames_before(
    invert: Any, video: Path, tmp_path: Path, tool: str, frames: int
) -> None:
    wipe(video, [4])
    outcome = invert(video, type=tool, factor=2)
    assert isinstance(outcome.error, DamagedMediaError)
    assert probe(tmp_path / "out" / "b_partial.mkv").frames == frames
    assert [artifact.role for artifact in outcome.artifacts] == ["partial"]


def test_a_video_of_which_nothing_is_intact_is_refused(invert: Any, video: Path, tmp_path: Path) -> None:
    wipe(video, [0], share=0.4)
    outcome = invert(video)
    assert isinstance(outcome.error, RequestError)
    assert "its first frame does not decode" in outcome.error.message
    assert not (tmp_path / "out").exists()


def test_a_range_before_the_damage_is_a_whole_result(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, video: Path
) -> None:
    monkeypatch.setenv("HOME", str(home))
    mask = np.zeros((1, *read_video(video).frames.shape[1:]), np.uint8)
    mask[:, :16, :16] = 255
    write_image(tmp_path / "mask.png", mask)
    wipe(video, [20, 22])
    given = {"type": "matanyone", "video": video, "mask": tmp_path / "mask.png", "end_frame": 2}
    made = tmp_path / "out" / "b.mkv"
    outcome = execute(lambda: [Layer(kind="flag", values={**given, "output": made})], bootstrap.start([]))
    assert outcome.error is None
    assert probe(made).frames == 2
