"""The task `matanyone` with the network MatAnyone, from a checkpoint of random weights in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from tests.support.matanyone import sensitive_matanyone
from tests.support.planned_videos import clip
from wangp_cli.matting.composite import GREEN_SCREEN, over_colour
from wangp_cli.matting.key_masks import refine_mask
from wangp_cli.media.clip import as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.networks.matanyone.follow import FollowSettings
from wangp_cli.pipelines.auxiliary.matanyone import MatAnyoneMatter
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer

pytestmark = pytest.mark.slow
FRAMES = 5
MASK = np.zeros((32, 32), np.float32)
MASK[8:24, 6:22] = 1


@pytest.fixture
def events() -> list[Any]:
    return []


@pytest.fixture
def session(home: Path, monkeypatch: pytest.MonkeyPatch, events: list[Any]) -> Session:
    """A session with a checkpoint where the catalogue expects that of MatAnyone 2."""
    monkeypatch.setenv("HOME", str(home))
    session = bootstrap.start([events.append])
    file = session.models_dir / "PeiqingYang--MatAnyone2" / "model.safetensors"
    file.parent.mkdir(parents=True)
    save_file(sensitive_matanyone().state_dict(), file)
    return session


@pytest.fixture
def video(tmp_path: Path) -> Path:
    Image.fromarray((MASK * 255).astype(np.uint8)).save(tmp_path / "mask.png")
    return clip(tmp_path, "a", FRAMES, sound=True)


def made(session: Session, video: Path, name: str = "b", **values: Any) -> dict[str, Any]:
    """Artifacts by role."""
    given = {"type": "matanyone", "video": video, "mask": [video.with_name("mask.png")], "codec": "ffv1"}
    given |= {"output": video.with_name(f"{name}.mkv"), "warmup_frames": 1, **values}
    outcome: Outcome = execute(lambda: [Layer(kind="flag", values=given)], session)
    assert outcome.error is None
    assert outcome.manifest is not None
    return {artifact["role"]: artifact for artifact in outcome.manifest["artifacts"]} | {
        "inputs": outcome.manifest["inputs"]
    }


def alpha_of(artifacts: dict[str, Any]) -> NDArray[np.float32]:
    return as_float(read_video(artifacts["mask_alpha"]["path"]).frames)[..., :1]


def test_the_best_checkpoint_on_this_machine_makes_the_matte(
    session: Session, video: Path, events: list[Any]
) -> None:
    made(session, video)
    artifacts = made(session, video, "c")
    assert artifacts["inputs"]["engines"] == {"engine": "matanyone2"}
    assert artifacts["inputs"]["licences"] == {"matanyone2": "S-Lab-1.0 (non-commercial)"}
    loaded = [event.data["parts"] for event in events if event.type == "model.loaded"]
    assert loaded == [{"matting": "loaded"}]
    frames = read_video(video).frames
    assert np.array_equal(read_video(artifacts["mask_foreground"]["path"]).frames, frames)
    assert probe(artifacts["mask_foreground"]["path"]).audio_codec is not None
    matter = MatAnyoneMatter(sensitive_matanyone(), "float32", FollowSettings(warmup=1))
    refined = refine_mask(MASK, dilation=10, erosion=10)
    expected = np.concatenate(list(matter.mattes([frames], {0: refined})))
    np.testing.assert_allclose(alpha_of(artifacts), expected, atol=0.004)


def test_what_is_opaque_and_what_is_shown_follow_the_matte(session: Session, video: Path) -> None:
    foreground = alpha_of(made(session, video))
    artifacts = made(session, video, "c", matting="background", mask_type="greenscreen")
    background = alpha_of(artifacts)
    np.testing.assert_allclose(background, 1 - foreground, atol=0.006)
    shown = as_float(read_video(artifacts["mask_foreground"]["path"]).frames)
    expected = over_colour(read_video(video).frames, background, GREEN_SCREEN)
    np.testing.assert_allclose(shown, expected, atol=0.006)


@pytest.mark.parametrize(
    "values",
    [
        {"warmup_frames": 3},
        {"dilate_kernel": 3},
        {"erode_kernel": 0},
        {"max_size": 64, "size": "96x96"},
        {"start_frame": 1},
        {"key_masks": ["mask.png"], "key_frames": [2]},
    ],
    ids=" ".join,
)
def test_every_option_changes_the_matte(session: Session, video: Path, values: dict[str, Any]) -> None:
    usual = {"size": values["size"]} if "size" in values else {}
    if "key_masks" in values:
        values = values | {"key_masks": [video.with_name("mask.png")]}
    first = alpha_of(made(session, video, **usual))[-1]
    changed = alpha_of(made(session, video, "c", **values))[-1]
    assert np.abs(first - changed).max() > 0.01
