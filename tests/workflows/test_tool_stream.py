"""A tool from its values to its published file: engines, shapes, events and the run history."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support.clips import moving
from tests.support.media_files import picture
from tests.support.planned_videos import clip
from tests.support.task_types import NETWORKS, TASK_TYPES
from wangp_cli.errors import ModelError, RequestError
from wangp_cli.media.clip import as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image
from wangp_cli.media.write import write_video
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer

CATALOGUE = """models:
  inverter:
    title: Inverts colours
    kind: upscaler
    architecture: inverter
    licence: CC-BY-NC-4.0
    source: {file: hf://someone/inverter/inverter.safetensors}
  stranger:
    title: Of another kind
    kind: matting
    architecture: inverter
    source: {folder: /nowhere}
"""


@pytest.fixture
def events() -> list[Any]:
    return []


@pytest.fixture
def session(home: Path, monkeypatch: pytest.MonkeyPatch, events: list[Any]) -> Session:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(home / "config"))
    (home / "config" / "models").mkdir(parents=True)
    (home / "config" / "models" / "tools.yaml").write_text(CATALOGUE)
    return bootstrap.start([events.append], tasks=TASK_TYPES, networks=NETWORKS)


@pytest.fixture
def inverter(session: Session) -> Path:
    """The weights of the model `inverter`, where they are expected."""
    file = session.models_dir / "someone--inverter" / "inverter.safetensors"
    file.parent.mkdir(parents=True)
    save_file({"weight": -torch.eye(3)[..., None, None], "bias": torch.ones(3)}, file)
    return file


def layers(**values: object) -> list[Layer]:
    return [Layer(kind="flag", values={"type": "invert", **values})]


def manifest_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.error is None
    assert outcome.manifest is not None
    return outcome.manifest


def made(session: Session, **values: object) -> Outcome:
    return execute(lambda: layers(**values), session)


def test_without_weights_the_builtin_engine_serves_and_that_is_told(session: Session, tmp_path: Path) -> None:
    outcome = made(
        session, video=clip(tmp_path, "a", 9, sound=True), output_dir=tmp_path / "out", codec="ffv1"
    )
    [artifact] = manifest_of(outcome)["artifacts"]
    assert (artifact["role"], artifact["frames"], artifact["fps"]) == ("video", 9, "16")
    facts, original = probe(artifact["path"]), read_video(tmp_path / "a.mkv").frames
    assert (facts.frames, facts.audio_codec is not None) == (9, True)
    np.testing.assert_allclose(
        as_float(read_video(artifact["path"]).frames), 1 - as_float(original), atol=0.01
    )
    assert manifest_of(outcome)["request"]["engine"] == "classic"
    assert manifest_of(outcome)["inputs"]["engines"] == {"engine": "classic"}
    hint = "`wangp models fetch inverter` gets a better engine"
    assert manifest_of(outcome)["notices"] == [f"engine: classic, which needs no weights; {hint}"]
    assert manifest_of(outcome)["origin"]["engine"] == f"which needs no weights; {hint}"


def test_weights_that_are_here_are_used_and_stay_loaded(
    session: Session, inverter: Path, tmp_path: Path, events: list[Any]
) -> None:
    image = picture(tmp_path, "a", 1)
    for number in range(2):
        outcome = made(session, video=image, output=tmp_path / f"{number}.png")
        assert manifest_of(outcome)["inputs"]["engines"] == {"engine": "inverter"}
        assert manifest_of(outcome)["inputs"]["licences"] == {"inverter": "CC-BY-NC-4.0"}
    inverted = read_image(tmp_path / "1.png")
    np.testing.assert_allclose(as_float(inverted), 1 - as_float(read_image(image)), atol=0.003)
    assert [event.data["parts"] for event in events if event.type == "model.loaded"] == [
        {"upscaler": "loaded"}
    ]
    session.pool.free()
    inverter.unlink()
    with pytest.raises(ModelError, match=r"inverter\.safetensors is missing"):
        session.pool.check(session.catalogue.get("inverter"))


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("clasic", "did you mean classic?"),
        ("stranger", "its kind is matting"),
        ("starter", "its kind is video"),
    ],
)
def test_an_engine_that_is_none_is_refused(session: Session, tmp_path: Path, engine: str, words: str) -> None:
    with pytest.raises(RequestError) as error:
        resolve(layers(video=picture(tmp_path, "a", 1), engine=engine, output_dir=tmp_path), session)
    assert error.value.field == "--engine"
    assert words in f"{error.value} {error.value.hint}"


def test_an_engine_without_weights_is_told_in_the_dry_run_and_fails_early(
    session: Session, tmp_path: Path
) -> None:
    values = {"video": picture(tmp_path, "a", 1), "engine": "inverter", "output_dir": tmp_path / "out"}
    notices = resolve(layers(**values), session).document()["notices"]
    assert any("wangp models fetch inverter" in notice for notice in notices)
    outcome = made(session, **values)
    assert isinstance(outcome.error, ModelError)
    assert outcome.error.hint == "wangp models fetch inverter"
    assert not list((tmp_path / "out").glob("*.png"))


def test_the_request_in_the_result_names_the_engine(session: Session, tmp_path: Path) -> None:
    outcome = made(session, video=clip(tmp_path, "a", 3), output=tmp_path / "b.mkv", metadata_mode="sidecar")
    assert outcome.error is None
    document = json.loads((tmp_path / "b.json").read_text())
    assert document["wangp"]["request"]["engine"] == "classic"
    assert document["wangp"]["request"]["video"] == "a.mkv"


def test_a_video_of_odd_size_gets_a_codec_that_takes_it(session: Session, tmp_path: Path) -> None:
    write_video(tmp_path / "odd.mkv", [moving(3, width=63, height=47)], fps=Fraction(8), codec="ffv1")
    outcome = made(session, video=tmp_path / "odd.mkv", output=tmp_path / "b.mp4")
    manifest, facts = manifest_of(outcome), probe(tmp_path / "b.mp4")
    assert (facts.width, facts.height, manifest["artifacts"][0]["codec"]) == (63, 47, "h264-444")
    assert manifest["origin"]["codec"] == "odd size"
    assert "codec: h264-444, which takes the odd size 63x47; not every player shows it" in manifest["notices"]
    with pytest.raises(RequestError, match="h264 takes even sizes"):
        resolve(layers(video=tmp_path / "odd.mkv", codec="h264", output=tmp_path / "c.mp4"), session)


@pytest.mark.parametrize(
    ("values", "field"), [({"codec": "vp9", "output": "a.mp4"}, "--codec"), ({"output": "a.png"}, "--output")]
)
def test_what_a_codec_cannot_hold_is_refused_early(
    session: Session, tmp_path: Path, values: dict[str, str], field: str
) -> None:
    with pytest.raises(RequestError) as error:
        resolve(layers(video=clip(tmp_path, "c", 3), **values), session)
    assert error.value.field == field
