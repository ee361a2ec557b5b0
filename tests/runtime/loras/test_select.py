"""The LoRAs of a task and its accelerator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import save

from tests.conftest import Make, Run
from tests.support.hub_server import Hub, serving
from tests.support.lora_hub import tensors
from wangp_cli.runtime.loras.select import LoraUse, source_notices
from wangp_cli.runtime.loras.source import LoraSource
from wangp_cli.tasks.lora_strength import Strength


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with serving(Hub()) as hub:
        yield hub


def test_offline_and_task_files_fetch_nothing(make: Make, hub: Hub) -> None:
    hub.files["/ink.safetensors"] = save(tensors())
    name = f"{hub.url}/ink.safetensors"
    offline = make(loras=[name], offline=True)
    assert offline.outcome.error is not None
    assert (offline.outcome.status, offline.outcome.error.exit_code) == ("rejected", 3)
    assert "wangp loras fetch" in str(offline.outcome.error.hint)
    assert hub.asked == []


def test_a_line_names_only_what_is_here(run: Run, tiny_env: dict[str, str], tmp_path: Path) -> None:
    line = {"prompt": "a red circle", "model": "tiny_t2v", "loras": ["ada/ink:a.safetensors@0.5"]}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(line))
    done = run("batch", "tasks.jsonl", env=tiny_env, code=1)
    assert "task files name local files" in done.only("task.rejected")["error"]["message"]


def test_only_missing_loras_are_announced_as_downloads(tmp_path: Path) -> None:
    (tmp_path / "ink.safetensors").write_bytes(b"")
    uses = [
        LoraUse(source=LoraSource(name=name, path=tmp_path / f"{name}.safetensors"), strength=Strength())
        for name in ("ink", "chalk")
    ]
    [notice] = source_notices(uses)
    assert str(notice) == f"loras: chalk will be fetched to {tmp_path / 'chalk.safetensors'}"


def test_an_alpha_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "adapter_model.safetensors"
    path.write_bytes(b"")
    uses = [LoraUse(source=LoraSource(name="ink", path=path), strength=Strength())]
    [notice] = source_notices(uses)
    assert "its alpha is taken to be its rank" in str(notice)
    path.with_name("adapter_config.json").write_text("{}")
    assert source_notices(uses) == []


def test_a_strength_with_more_phases_than_the_run_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "ink.safetensors").write_bytes(save(tensors()))
    made = make(loras=[f"{tmp_path / 'ink.safetensors'}@1;0.5"])
    assert made.outcome.status == "rejected"
    assert made.outcome.error is not None
    assert "1;0.5 has 2 phases, the run has 1" in made.outcome.error.message
