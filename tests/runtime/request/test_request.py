"""Settled requests."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.support import tiny
from wangp_cli.models import Source
from wangp_cli.notices import Notice
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.runtime.request.request import RenderRequest, ToolRequest
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.matanyone import Matanyone
from wangp_cli.tasks.shape import ResultShape
from wangp_cli.value_layers import DEFAULT


def request(folder: Path, **values: object) -> RenderRequest:
    """A request for two results."""
    return RenderRequest(
        task=Generate.model_validate({"model": "tiny_t2v", "prompt": "x", "count": 2, "seed": 7} | values),
        origin={"seed": DEFAULT},
        models={"model": tiny.spec("t2v", source=Source(repository="owner/name"))},
        outputs=[folder / "a.mp4", folder / "b.mp4"],
        notices=[Notice(field="frames", text="snapped")],
        facts=InputFacts({}),
        addresses={},
        models_dir=folder,
        frames=5,
        size=(64, 32),
    )


def test_a_request_is_skipped_where_every_result_exists(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert not request(tmp_path, skip_existing=True).skipped
    (tmp_path / "b.mp4").touch()
    assert request(tmp_path, skip_existing=True).skipped
    assert not request(tmp_path).skipped


def test_a_matte_without_its_other_files_is_not_skipped(tmp_path: Path) -> None:
    settled = ToolRequest(
        task=Matanyone.model_validate(
            {"video": "a.mp4", "mask": ["m.png"], "archive": "folder", "skip_existing": True}
        ),
        origin={},
        outputs=[tmp_path / "a.mp4"],
        notices=[],
        facts=InputFacts({}),
        addresses={},
        models_dir=tmp_path,
        shape=ResultShape((64, 32), 5, Fraction(8)),
    )
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a_rgba").mkdir()
    assert not settled.skipped
    (tmp_path / "a_alpha.mp4").touch()
    assert settled.skipped


def test_a_dry_run_tells_missing_weights(tmp_path: Path) -> None:
    document = request(tmp_path).document()
    assert document["origin"] == {"seed": "default"}
    assert document["outputs"] == [str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4")]
    first, second = document["notices"]
    assert first == "frames: snapped"
    assert second.startswith("model: weights of 'tiny_t2v' are not on this machine")


def test_each_result_has_its_seed(tmp_path: Path) -> None:
    settled = request(tmp_path)
    assert settled.inputs()["seeds"] == [7, 8]
    assert [settled.wangp_settings(index)["seed"] for index in range(2)] == [7, 8]


def test_wangp_reads_the_finishing_that_it_knows(tmp_path: Path) -> None:
    settled = request(tmp_path)
    assert "film_grain_intensity" not in settled.wangp_settings(0)
    finishing: dict[str, Any] = {
        "spatial_upsampling": "lanczos2",
        "film_grain_intensity": 0.1,
        "film_grain_saturation": 0.2,
    }
    finished = replace(settled, task=settled.task.replace(**finishing)).wangp_settings(0)
    assert {name: finished[name] for name in finishing} == finishing
    exact = replace(settled, task=settled.task.replace(spatial_upsampling="2")).wangp_settings(0)
    assert "spatial_upsampling" not in exact
