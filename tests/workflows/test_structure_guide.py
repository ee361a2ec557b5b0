"""Control videos under a travel."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make
from tests.support.echo import use_echo
from wangp_cli.media.clip import as_float
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video
from wangp_cli.preprocess.canny import canny
from wangp_cli.preprocess.kinds import PictureSettings, control_pictures

Travel = Callable[..., Any]
SIDE = 32


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Three plain pictures."""
    paths = []
    for index, value in enumerate((240, 230, 220)):
        paths.append(tmp_path / f"{index}.png")
        write_image(paths[-1], np.full((1, SIDE, SIDE, 3), value, np.uint8))
    return paths


@pytest.fixture
def echo(make: Make, adapters: dict[str, Any]) -> Travel:
    """Travel with a model that gives back what it is shown."""
    use_echo(adapters)
    return lambda images, **said: make(
        "tiny_vace", type="travel", images=images, colour_match=0, frames=9, overlap=2, **said
    )


def counting(path: Path, frames: int, fps: int = 16, base: int = 0) -> Path:
    """A video whose frame i has the grey value `base + 3 * i`."""
    values = (base + 3 * np.arange(frames)).astype(np.uint8)
    pixels = np.broadcast_to(values[:, None, None, None], (frames, SIDE, SIDE, 3)).copy()
    write_video(path, [pixels], fps=Fraction(fps), codec="ffv1")
    return path


def shades(made: Any) -> list[int]:
    return [round(float(value) * 255) for value in as_float(made.frames).mean(axis=(1, 2, 3))]


def test_each_frame_of_a_control_video_lands_on_its_own(
    echo: Travel, images: list[Path], tmp_path: Path
) -> None:
    guide = counting(tmp_path / "g.mkv", 18)
    made = echo(images, video_guide=guide)
    anchors = {0: 240, 8: 230, 17: 220}
    assert shades(made) == [anchors.get(frame, 3 * frame) for frame in range(18)]
    assert made.outcome.manifest["plan"]["guides"] == [
        {"video": 0, "start": 0, "end": 18, "first": 0, "last": None, "timing": "fit"}
    ]


def test_control_videos_follow_each_other(echo: Travel, images: list[Path], tmp_path: Path) -> None:
    guides = [counting(tmp_path / "a.mkv", 20), counting(tmp_path / "b.mkv", 3, base=100)]
    said = {"guide_range": ["2-5", "10-14"], "guide_cut": ["10-13", "0-2"], "guide_timing": "loop"}
    made = echo(images, video_guide=guides, **said)
    unknown = [128] * 18
    unknown[0], unknown[8], unknown[17] = 240, 230, 220
    unknown[2:6] = [30, 33, 36, 39]
    unknown[10:15] = [100, 103, 106, 100, 103]
    assert shades(made) == unknown


def test_a_guide_of_another_rate_keeps_its_speed(echo: Travel, images: list[Path], tmp_path: Path) -> None:
    made = echo(images[:1], video_guide=counting(tmp_path / "g.mkv", 12, fps=32), guide_timing="trim")
    assert shades(made)[1:] == [6, 12, 18, 24, 30, 33, 33, 33]


def test_a_continued_video_is_not_guided(echo: Travel, images: list[Path], tmp_path: Path) -> None:
    source = counting(tmp_path / "s.mkv", 10, base=200)
    made = echo(images[:1], video_source=source, video_guide=counting(tmp_path / "g.mkv", 9))
    assert shades(made) == [200 + 3 * i for i in range(10)] + [3 * i for i in range(8)] + [240]


def test_edges_and_strength(echo: Travel, images: list[Path], tmp_path: Path) -> None:
    pixels = np.zeros((9, SIDE, SIDE, 3), np.uint8)
    pixels[:, 8:20, 8:20] = 255
    write_video(tmp_path / "g.mkv", [pixels], fps=Fraction(16), codec="ffv1")
    made = echo(images[:1], video_guide=tmp_path / "g.mkv", guide_kind="canny", guide_strength=0.5)
    assert np.abs(as_float(made.frames)[3] - (0.25 + canny(pixels)[3] / 2)).max() < 0.01


def sliding(path: Path, frames: int) -> Path:
    """A video of a pattern that moves to the right by 1, 2, 3, ... pixels."""
    y, x = np.mgrid[:SIDE, :SIDE]
    places = np.cumsum(np.arange(frames))[:, None, None]
    waves = 127 + 60 * np.sin((x - places) / 3) + 60 * np.cos(y / 4)
    pixels = np.repeat(waves.astype(np.uint8)[..., None], 3, axis=3)
    write_video(path, [pixels], fps=Fraction(16), codec="ffv1")
    return path


def test_flow_is_drawn_in_the_range_of_the_whole_guide(
    echo: Travel, images: list[Path], tmp_path: Path
) -> None:
    guide = sliding(tmp_path / "g.mkv", 12)
    made = echo(images, video_guide=guide, guide_range="0-11", guide_kind="flow")
    pieces = iter([read_video(guide).frames])
    whole = np.concatenate(list(control_pictures("flow", pieces, PictureSettings())))
    # Frames 0 and 8 are images; both segments use the range of all twelve.
    for frame in (1, 2, 7, 9, 11):
        assert np.abs(as_float(made.frames)[frame] - as_float(whole)[frame]).max() < 0.01
    assert made.outcome.manifest["inputs"]["engines"] == {"guide_engine": "classic"}
    logged = [event.data.get("message", "") for event in made.events]
    assert logged.count("made 12 control pictures (flow) of g.mkv") == 1


def test_a_looped_guide_is_drawn_once(echo: Travel, images: list[Path], tmp_path: Path) -> None:
    guide = sliding(tmp_path / "g.mkv", 4)
    made = echo(images[:1], video_guide=guide, guide_kind="flow", guide_timing="loop")
    frames = as_float(made.frames)
    assert np.abs(frames[1:4] - frames[5:8]).max() < 0.01
    assert np.abs(frames[1] - frames[3]).max() > 0.1


def test_strength_and_intensity_reach_the_pictures(echo: Travel, images: list[Path], tmp_path: Path) -> None:
    guide = sliding(tmp_path / "g.mkv", 9)
    said: dict[str, Any] = {"video_guide": guide, "guide_kind": "flow"}
    full, none = (
        echo(images[:1], output=tmp_path / f"{strength}.mkv", motion_strength=strength, **said).frames
        for strength in (1, 0)
    )
    assert as_float(none)[1:8].min() > 0.99
    assert as_float(full)[1:8].min() < 0.5


def test_a_window_of_steps_changes_a_real_travel(make: Make, images: list[Path], tmp_path: Path) -> None:
    guide = counting(tmp_path / "g.mkv", 5, base=20)
    says: list[dict[str, Any]] = [
        {}, {"video_guide": guide}, {"video_guide": guide, "control_end": 0.5}, {"control_end": 0.5},
        {"video_guide": guide, "control_start": 0.4, "control_end": 0.45},
    ]  # fmt: skip
    films = [
        make("tiny_vace", type="travel", images=images[:2], output=tmp_path / f"{n}.mkv", **said).frames
        for n, said in enumerate(says)
    ]
    free, guided, early, alone, never = films
    assert not np.array_equal(free, guided)
    assert not np.array_equal(early, guided)
    assert not np.array_equal(early, free)
    # What is known is known in every step, with a window or without.
    assert np.array_equal(alone, free)
    assert np.array_equal(never, free)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"guide_range": "0-8"}, "--guide-range: 1 values, wanted 0, one for each video guide"),
        ({"video_guide": 2}, "--video-guide: 2 given with 0 ranges, wanted one for each"),
        (
            {"video_guide": 2, "guide_range": ["0-8", "8-9"]},
            "--video-guide: numbers 0 and 1 overlap on frame 8",
        ),
        (
            {"video_guide": 1, "guide_range": "40-50"},
            "--guide-range: begins on frame 18, but the result has 18",
        ),
        ({"video_guide": 1, "guide_range": "first"}, "--guide-range: 'first' is not START-END in frames"),
        ({"video_guide": 1, "guide_cut": "5-40"}, "--guide-cut: '5-40' is not within 0-11"),
        ({"video_guide": 1, "guide_cut": ["1-2", "3-4"]}, "--guide-cut: 2 values, wanted 1, one for each"),
        (
            {"video_guide": 1, "guide_timing": "off"},
            "--video-guide: number 0 has 12 frames at 16 fps, wanted 18",
        ),
        ({"video_guide": 1, "guide_strength": 2}, "--guide-strength: 2 is too large, must be at most 1"),
        ({"control_start": 0.5, "control_end": 0.5}, "--control-end: 0.5, must be more than 0.5"),
        (
            {"video_guide": 1, "model": "tiny_flf2v"},
            "--video-guide: model 'tiny_flf2v' takes no control video",
        ),
    ],
)
def test_bad_guides_are_refused(
    make: Make, images: list[Path], tmp_path: Path, said: dict[str, Any], message: str
) -> None:
    guides = [counting(tmp_path / f"{n}.mkv", 12) for n in range(said.pop("video_guide", 0))]
    model = said.pop("model", "tiny_vace")
    made = make(model, type="travel", images=images, frames=9, overlap=2, video_guide=guides, **said)
    assert made.outcome.status == "rejected"
    assert message in str(made.outcome.error)
