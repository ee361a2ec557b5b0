"""`wangp doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from wangp_cli.commands import doctor
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.tool import Processing


@pytest.mark.slow
def test_doctor_looks_at_everything(run: Run, tmp_path: Path) -> None:
    work = tmp_path / "outputs" / ".wangp-work"
    work.mkdir(parents=True)
    (work / "left.npy").write_bytes(b"left")
    result = run("doctor", "--json")
    found: dict[str, Any] = {check["name"]: check for check in result.json()["checks"]}
    assert set(found) >= {
        "python",
        "torch",
        "device",
        "attention",
        "memory",
        "outputs",
        "unfinished work",
        "models",
        "hub",
        "starter",
    }
    assert result.exit_code == (1 if any(check["status"] == "problem" for check in found.values()) else 0)
    assert result.json()["versions"]["torch"]


def test_the_engine_of_each_use_is_told_and_how_to_get_a_better_one(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANGP_MODELS_DIR", str(tmp_path / "models"))

    def told() -> dict[str, tuple[str, str | None]]:
        return {check.name: (check.found, check.fix) for check in doctor._engines()}

    before = told()
    better = "`wangp models fetch rife-4.26` gets a better one"
    assert before["engine of interpolation"] == ("classic", better)
    assert before["engine of depth"] == ("no weights are here", "wangp models fetch depth-anything-v2-small")
    assert before["engine of canny"] == ("classic", None)
    folder = tmp_path / "models" / "Comfy-Org--frame_interpolation" / "frame_interpolation"
    folder.mkdir(parents=True)
    (folder / "rife_v4.25.safetensors").touch()
    assert told() == before | {"engine of interpolation": ("rife-4.25", None)}


def test_every_engine_of_a_tool_has_a_use() -> None:
    """What a tool does with its usual values is in the table of `wangp doctor`."""
    for task in TASKS.values():
        if issubclass(task, Processing) and "engine" in task.model_fields:
            assert task.engine_uses, task.model_fields["type"].default
