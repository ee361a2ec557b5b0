"""What all tests share: the real command line, a session, tiny checkpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

TERMINAL = {"task.completed", "task.failed", "task.cancelled", "task.rejected"}


@dataclass(frozen=True)
class Result:
    """How one command ended."""

    exit_code: int
    stdout: str
    stderr: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def only(self, kind: str) -> dict[str, Any]:
        """The data of the one event of a type."""
        found = [event["data"] for event in self.events if event["type"] == kind]
        assert len(found) == 1, f"{len(found)} events of {kind}: {self.stdout[-2000:]} {self.stderr[-2000:]}"
        return found[0]  # type: ignore[no-any-return]

    def json(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.stdout)


Run = Callable[..., Result]


def clean_environment(home: Path) -> dict[str, str]:
    """The environment of a user whose home is empty."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANGP_", "XDG_"))}
    return kept | {"HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Run:
    """Run the real command line in a process of its own, in an empty folder, with an empty home."""

    def call(
        *arguments: object, env: dict[str, str] | None = None, code: int | None = None, **more: Any
    ) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "wangp_cli", *map(str, arguments)],
            cwd=more.pop("cwd", tmp_path),
            env=clean_environment(home) | (env or {}),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **more,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"v":')]
        result = Result(done.returncode, done.stdout, done.stderr, [json.loads(line) for line in lines])
        assert "Traceback" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, (
                f"exit {done.returncode}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return result

    return call
