"""Control pictures under a generation."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import Make
from tests.support.clips import moving
from tests.support.echo import use_echo
from tests.support.media_files import picture
from wangp_cli.errors import ModelError, RequestError
from wangp_cli.media.clip import as_float, as_uint8
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image
from wangp_cli.media.write import write_video
from wangp_cli.networks.line_art import LineArt
from wangp_cli.preprocess.kinds import PictureSettings, control_pictures

WINDOWS = {"sliding_window_size": 9, "sliding_window_overlap": 5, "colour_match": 0}


@pytest.fixture
def echo(make: Make, adapters: dict[str, Any]) -> Callable[..., Any]:
    """Generate with a model that gives back what it is shown."""
    use_echo(adapters)
    return lambda **said: make("tiny_vace", frames=said.pop("frames", 9), codec="ffv1", **said)


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """Nine frames of the size of the result."""
    path = tmp_path / "guide.mkv"
    write_video(
        path,
        [moving(9, 32, 32) + np.eye(32, dtype=np.uint8)[None, ..., None] * 40],
        fps=Fraction(16),
        codec="ffv1",
    )
    return path


def drawn(kind: str, guide: Path, **settings: Any) -> np.ndarray:
    pieces = iter([read_video(guide).frames])
    return np.concatenate(list(control_pictures(kind, pieces, PictureSettings(**settings))))


def same(frames: np.ndarray, others: np.ndarray) -> bool:
    return frames.shape == others.shape and bool(np.abs(as_float(frames) - as_float(others)).max() < 0.005)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("canny", {"canny_low": 50, "canny_high": 60}), ("flow", {"motion_strength": 0.5}), ("gray", {})],
)
def test_the_model_is_shown_control_pictures_of_the_guide(
    echo: Callable[..., Any], guide: Path, kind: str, settings: dict[str, Any]
) -> None:
    made = echo(video_guide=guide, guide_kind=kind, **settings)
    assert same(made.frames, drawn(kind, guide, **settings))
    assert made.outcome.manifest["request"]["guide_kind"] == kind
    engines = {"guide_engine": "classic"} if kind != "gray" else None
    assert made.outcome.manifest["inputs"].get("engines") == engines
    assert f"made 9 control pictures ({kind}) of guide.mkv" in [
        event.data.get("message") for event in made.events
    ]


def test_an_image_is_drawn_once_and_held(echo: Callable[..., Any], tmp_path: Path) -> None:
    image = picture(tmp_path, "a", 1)
    made = echo(image_guide=image, guide_kind="gray", frames=5)
    grey = np.concatenate(list(control_pictures("gray", iter([read_image(image)]), PictureSettings())))
    assert same(made.frames, np.repeat(grey, 5, axis=0))


def test_windows_share_the_pictures_of_the_whole_guide(echo: Callable[..., Any], guide: Path) -> None:
    made = echo(video_guide=guide, guide_kind="flow", frames=13, **WINDOWS)
    pictures = drawn("flow", guide)
    assert len(made.outcome.manifest["plan"]["segments"]) > 1
    assert same(made.frames[:9], pictures)
    # What the guide lacks is grey.
    assert set(np.unique(as_uint8(made.frames[9:]))) <= {127, 128}
    messages = [event.data.get("message") for event in made.events]
    assert messages.count("made 9 control pictures (flow) of guide.mkv") == 1


@pytest.mark.parametrize("windows", [{}, WINDOWS])
def test_the_pictures_can_be_looked_at(
    echo: Callable[..., Any], guide: Path, tmp_path: Path, windows: dict[str, Any]
) -> None:
    said = {"video_guide": guide, "guide_kind": "canny", "keep_intermediates": True, **windows}
    made = echo(output=tmp_path / "o.mkv", frames=13 if windows else 9, count=2, **said)
    control = tmp_path / "o_001_intermediates" / "control_000.mkv"
    assert same(read_video(control).frames, drawn("canny", guide))
    roles = [
        (artifact["role"], Path(artifact["path"]).name) for artifact in made.outcome.manifest["artifacts"]
    ]
    assert ("intermediate", "control_000.mkv") in roles
    assert ("intermediate", "segment_001.mkv") in roles or not windows
    assert not (tmp_path / "o_002_intermediates").exists()


def test_a_network_is_used_by_its_name(
    echo: Callable[..., Any], config: Path, guide: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    torch.save(LineArt().state_dict(), tmp_path / "lines.pth")
    (config / "models").mkdir(exist_ok=True)
    (config / "models" / "mine.yaml").write_text(
        "models: {mine: {title: Mine, kind: preprocessor, architecture: line_art, licence: MIT, "
        f"source: {{file: '{tmp_path / 'lines.pth'}', allow_pickle: true}}}}}}"
    )
    made = echo(video_guide=guide, guide_kind="scribble", guide_engine="mine")
    assert made.outcome.manifest["inputs"]["engines"] == {"guide_engine": "mine"}
    assert made.outcome.manifest["inputs"]["licences"]["mine"] == "MIT"
    assert np.ptp(made.frames) > 0
    assert (as_uint8(made.frames) == as_uint8(made.frames)[..., :1]).all()


def test_missing_weights_end_it_before_the_model_loads(echo: Callable[..., Any], guide: Path) -> None:
    made = echo(video_guide=guide, guide_kind="depth")
    assert isinstance(made.outcome.error, ModelError)
    assert made.outcome.error.hint == "wangp models fetch depth-anything-v2-small"
    assert not [event for event in made.events if event.type == "model.loading"]


def test_flow_of_an_image_is_refused(echo: Callable[..., Any], tmp_path: Path) -> None:
    made = echo(image_guide=picture(tmp_path, "a", 1), guide_kind="flow")
    assert isinstance(made.outcome.error, RequestError)
    assert "--guide-kind: flow, but an image does not move" in str(made.outcome.error)


def test_a_kind_without_a_guide_is_told(make: Make, adapters: dict[str, Any]) -> None:
    use_echo(adapters)
    made = make("tiny_vace", frames=5, guide_kind="canny", motion_strength=0.5, guide_engine="classic")
    assert made.outcome.manifest is not None
    notices = made.outcome.manifest["notices"]
    for field in ("guide_kind", "motion_strength", "guide_engine"):
        assert f"{field}: not used, there is no video_guide or image_guide" in notices
