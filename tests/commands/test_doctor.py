"""`wangp doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from wangp_cli.commands import doctor


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


def test_engines_are_told_by_kind_with_the_names_of_better_ones(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANGP_MODELS_DIR", str(tmp_path / "models"))
    before = {check.name: check for check in doctor._engines()}
    check = before["engines: interpolator"]
    assert (check.found, check.fix) == ("no weights are here", "`wangp models fetch NAME` gets rife-4.26")
    assert str(before["engines: preprocessor"].fix).endswith(
        "depth-anything-v2-small, dwpose, line-art, raft"
    )
    folder = tmp_path / "models" / "Comfy-Org--frame_interpolation" / "frame_interpolation"
    folder.mkdir(parents=True)
    (folder / "rife_v4.25.safetensors").touch()
    check = {check.name: check for check in doctor._engines()}["engines: interpolator"]
    assert (check.found, check.fix) == ("rife-4.25", None)
