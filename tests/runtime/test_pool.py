"""What stays loaded between tasks, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer


@pytest.fixture
def events() -> list[Any]:
    return []


@pytest.fixture
def session(tiny_models: Path, home: Path, monkeypatch: pytest.MonkeyPatch, events: list[Any]) -> Session:
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tiny_models))
    monkeypatch.setenv("HOME", str(home))
    return bootstrap.start([events.append])


def make(session: Session, tmp_path: Path, **said: Any) -> None:
    values = {"model": "tiny_t2v", "prompt": "a red circle", "frames": 1, "output_dir": tmp_path, "seed": 1}
    outcome = execute(lambda: [Layer(kind="flag", values=values | said)], session)
    assert outcome.status == "completed", outcome.error


def loads(events: list[Any]) -> list[dict[str, str]]:
    return [event.data["parts"] for event in events if event.type == "model.loaded"]


def test_another_model_of_the_same_base_loads_only_what_differs(
    session: Session, tmp_path: Path, events: list[Any]
) -> None:
    make(session, tmp_path)
    make(session, tmp_path, model="tiny_vace")
    make(session, tmp_path, model="tiny_vace", seed=2)
    fresh = {"transformer": "loaded", "text_encoder": "loaded", "vae": "loaded"}
    assert loads(events) == [fresh, {"transformer": "loaded", "text_encoder": "shared", "vae": "shared"}]


def test_kernels_change_without_loading_anew(session: Session, tmp_path: Path, events: list[Any]) -> None:
    make(session, tmp_path)
    make(session, tmp_path, attention="_native_math", boost=True, vae_tiling=64, cache="fbcache", seed=2)
    assert len(loads(events)) == 1
    make(session, tmp_path, vae_dtype="bfloat16", seed=3)
    assert loads(events)[1] == {"transformer": "loaded", "text_encoder": "shared", "vae": "loaded"}


def test_a_model_can_be_freed_after_its_task(session: Session, tmp_path: Path, events: list[Any]) -> None:
    make(session, tmp_path, preload_policy="unload")
    assert session.pool.profile == "auto"
    make(session, tmp_path, seed=2, preload_policy="start")
    assert [set(parts.values()) for parts in loads(events)] == [{"loaded"}, {"loaded"}]


def test_the_profile_is_told_with_its_reason(session: Session, tmp_path: Path, events: list[Any]) -> None:
    make(session, tmp_path)
    make(session, tmp_path, profile="4", seed=2)
    first, second = (event.data for event in events if event.type == "model.loaded")
    assert (first["profile"], second["profile"], second["why"]) == ("1", "4", "as asked")
    assert "are free on cpu" in first["why"]
