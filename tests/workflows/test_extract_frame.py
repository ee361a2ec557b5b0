"""Frames of videos written as images."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.clips import moving, numbered, numbers
from tests.support.ffmpeg import ffmpeg
from wangp_cli.errors import RequestError
from wangp_cli.media.clip import to_rgb
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.stills import read_image
from wangp_cli.media.write import write_video
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.intake.settings_file import load_settings_file
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.value_layers import Layer


@pytest.fixture
def extract(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run the task; gives the outcome."""
    monkeypatch.setenv("HOME", str(home))
    session = bootstrap.start([])

    def call(*layers: Layer, **values: object) -> Outcome:
        given = {"type": "extract-frame", "output_dir": tmp_path / "out", **values}
        return execute(lambda: [*layers, Layer(kind="flag", values=given)], session)

    return call


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Numbered frames in RGB without loss, with frames between key frames in both directions."""
    path = tmp_path / "clip.mkv"
    ffmpeg(
        "-f rawvideo -pix_fmt rgb24 -s 64x48 -r 25 -i - -c:v libx264rgb -qp 0 -bf 3 -g 12", path,
        stdin=numbered(40).tobytes(),
    )  # fmt: skip
    return path


def selected(path: Path, index: int) -> np.ndarray[Any, Any]:
    """The frame that FFmpeg's filter gives."""
    raw = ffmpeg("-i", path, "-vf", f"select=eq(n\\,{index})", "-frames:v 1 -f rawvideo -pix_fmt rgb24 -")
    return np.frombuffer(raw, np.uint8).reshape(1, 48, 64, 3)


def test_frames_are_those_that_ffmpeg_selects(extract: Any, clip: Path, tmp_path: Path) -> None:
    outcome = extract(video=clip, frame=[17, -1, "0.5s", 0])
    assert outcome.error is None
    for name, index in (("17", 17), ("-1", 39), ("0.5s", 12), ("0", 0)):
        picture = read_image(tmp_path / "out" / f"clip_frame_{name}.png")
        assert numbers(picture) == [index]
        assert np.array_equal(picture, selected(clip, index))
    assert [artifact.role for artifact in outcome.artifacts] == ["image"] * 4
    assert (outcome.artifacts[0].width, outcome.artifacts[0].height) == (64, 48)


def test_an_image_holds_the_request_that_makes_it_again(extract: Any, clip: Path, tmp_path: Path) -> None:
    extract(video=clip, frame=[3, 20])
    made = tmp_path / "out" / "clip_frame_20.png"
    document = json.loads(read_comment(made) or "")
    assert document["wangp"]["request"]["frame"] == [20]
    outcome = extract(load_settings_file(made), output=tmp_path / "again.png")
    assert outcome.error is None
    assert numbers(read_image(tmp_path / "again.png")) == [20]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_format_follows_the_name_of_the_file(
    extract: Any, clip: Path, tmp_path: Path, suffix: str
) -> None:
    outcome = extract(video=clip, frame=5, output=tmp_path / f"a{suffix}", metadata_mode="sidecar")
    assert outcome.error is None
    assert numbers(read_image(tmp_path / f"a{suffix}")) == [5]
    assert json.loads((tmp_path / "a.json").read_text())["wangp"]["request"]["frame"] == [5]


def test_alpha_is_kept_or_shown_on_black(extract: Any, tmp_path: Path) -> None:
    frames = moving(2, channels=4)
    write_video(tmp_path / "a.mkv", [frames], fps=Fraction(8))
    assert extract(video=tmp_path / "a.mkv", frame=1).error is None
    assert np.array_equal(read_image(tmp_path / "out" / "a_frame_1.png"), frames[1:])
    assert extract(video=tmp_path / "a.mkv", frame=1, image_format="jpg").error is None
    flat = read_image(tmp_path / "out" / "a_frame_1.jpg") / 255
    np.testing.assert_allclose(flat, to_rgb(frames[1:]), atol=0.03)


def test_a_frame_that_is_not_there_is_refused_before_anything_is_written(
    extract: Any, clip: Path, tmp_path: Path
) -> None:
    outcome = extract(video=clip, frame=[0, "1.6s"])
    assert isinstance(outcome.error, RequestError)
    assert outcome.error.message == "--frame: 1.6s, but the video has 40 frames in 1.60 s"
    assert not (tmp_path / "out").exists()


def test_two_results_of_one_name_are_refused(extract: Any, clip: Path) -> None:
    error = extract(video=clip, frame=[1, 1]).error
    assert isinstance(error, RequestError)
    assert "one name" in error.message
