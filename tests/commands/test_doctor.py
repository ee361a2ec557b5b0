"""`wangp doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run


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
