"""What all tests share: the real command line, a session, tiny checkpoints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.event_checks import check_stream
from wangp_cli.pipelines.registry import ADAPTERS, Adapters, Load
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.types import ACCOMPANYING
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.tasks import TASKS, TaskTypes
from wangp_cli.value_layers import Layer

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores; this is read when torch is imported, also by the commands that tests start.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"
# How long examples take to draw says how busy the machine is: in a fresh folder the first text takes seconds.
settings.register_profile("wangp", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("wangp")

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
        if lines:
            check_stream(lines, complete=done.returncode >= 0)
        if code is not None:
            assert done.returncode == code, (
                f"exit {done.returncode}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return result

    return call


@pytest.fixture
def shown(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line in this process, in an empty folder, for calls that run nothing."""
    for name, value in clean_environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, code: int) -> Any:
        from typer.testing import CliRunner

        from wangp_cli.main import app

        result = CliRunner().invoke(app, [str(word) for word in arguments], prog_name="wangp")
        assert "Traceback" not in result.stderr, result.stderr
        assert result.exit_code == code, result.stderr
        return result

    return call


@pytest.fixture(scope="session")
def sam_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny checkpoints in the layout of transformers: `sam2`, `sam3` and `vitmatte`."""
    from tests.support import tiny_sam

    root = tmp_path_factory.mktemp("sam")
    return {kind: tiny_sam.save(kind, root / kind) for kind in ("sam2", "sam3", "vitmatte")}


TINY = """family: wan
models:
"""
TINY_MODEL = """  tiny_{name}:
    title: Tiny {name}
    architecture: {architecture}
    experts: {experts}
    source: {{folder: {folder}}}
    accepts: [{accepts}]
    requires: [{requires}]
    defaults: {{size: {size}, frames: 5, fps: "16", steps: 2, guidance_scale: 1.0, flow_shift: 3.0{more}}}
    text_length: {text_length}
"""
REQUIRES = {
    "i2v": "start",
    "flf2v": "start, end",
    "phantom": "references",
    "animate": "references, control, face",
    "recam": "control, camera",
}


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings folder whose catalogue holds tiny models, with weights: `tiny_vace` and so on."""
    from tests.support import tiny

    config = tmp_path_factory.mktemp("config")
    text = TINY
    for name in (*tiny.ACCEPTS, "t2v_2_2"):
        folder = tiny.save(name, tmp_path_factory.mktemp(f"tiny_{name}"))
        more = {"audio"} if name in ("t2v", "phantom", "recam") else {"audio", "source"}
        accepts = ", ".join(sorted(tiny.ACCEPTS[tiny.architecture(name)] | more))
        two = name in tiny.BOUNDARY
        text += TINY_MODEL.format(
            name=name,
            architecture=tiny.architecture(name),
            experts=1 + two,
            size=tiny.shot_for(name).size,
            more=", guidance_phases: 2, guidance2_scale: 1.0, switch_threshold: 875" if two else "",
            folder=folder,
            accepts=accepts,
            requires=REQUIRES.get(name, ""),
            text_length=tiny.text_length(name),
        )
    (config / "models").mkdir()
    (config / "models" / "tiny.yaml").write_text(text, encoding="utf-8")
    return config


@pytest.fixture
def tiny_env(tiny_models: Path) -> dict[str, str]:
    """The environment in which the command line knows the tiny models."""
    return {"WANGP_CONFIG_DIR": str(tiny_models)}


@dataclass(frozen=True)
class Made:
    """How one request ended in this process."""

    outcome: Outcome
    events: list[Any]

    @property
    def path(self) -> Path:
        """The one file it made."""
        assert self.outcome.error is None, self.outcome.error
        [artifact] = [made for made in self.outcome.artifacts if made.role not in ACCOMPANYING]
        return Path(artifact.path)

    @property
    def frames(self) -> Any:
        """The pixels of the one file it made."""
        from wangp_cli.media.read_video import read_video
        from wangp_cli.media.stills import read_image

        return read_image(self.path) if self.path.suffix == ".png" else read_video(self.path).frames


Make = Callable[..., Made]


@pytest.fixture
def adapters() -> dict[str, str | Load]:
    """The adapters that `make` loads models with; a test may replace them."""
    return dict(ADAPTERS)


@pytest.fixture
def make(
    tiny_models: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    adapters: dict[str, str | Load],
) -> Make:
    """Execute one request of a tiny model in this process, with the given values as flags."""
    usual: Adapters = adapters
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tiny_models))
    monkeypatch.setenv("HOME", str(home))

    def call(
        model: str | None = "tiny_t2v",
        *,
        layers: tuple[Layer, ...] = (),
        adapters: Adapters = usual,
        tasks: TaskTypes = TASKS,
        task_id: str | None = None,
        **given: Any,
    ) -> Made:
        events: list[Any] = []
        session = bootstrap.start([events.append], adapters=adapters, tasks=tasks)
        values = {"prompt": "a red circle", "seed": 7, "codec": "ffv1", "output_dir": tmp_path / "made"}
        if model:
            values["model"] = model
        # The weakest layer, so that those of the caller replace its values.
        base = Layer(kind="preset", name="test", values=values)
        flags = Layer(kind="flag", values=given)
        outcome = execute(lambda: [base, *layers, flags], session, task_id)
        session.pool.close()
        return Made(outcome, events)

    return call


@pytest.fixture
def config(make: Make, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings folder of the test's own with the tiny models, for more of them; `make` uses it, too."""
    folder = Path(shutil.copytree(tiny_models, tmp_path / "config"))
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(folder))
    return folder
