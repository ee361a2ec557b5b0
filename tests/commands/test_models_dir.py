"""`--models-dir` decides where weights are looked up, whatever the task."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from tests.conftest import Run
from tests.support.media_files import noise
from tests.support.planned_videos import clip
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.errors import ModelError
from wangp_cli.media.stills import write_image
from wangp_cli.pipelines.wan.pipeline import Wan

COMMON = {"prompt": "a red circle", "model": "by_name", "seed": 7, "codec": "ffv1", "steps": 1}


@pytest.fixture
def models(config: Path, tmp_path: Path) -> Path:
    """A folder that holds the weights of the model `by_name`, which the settings do not name."""
    catalogue = config / "models" / "tiny.yaml"
    entries = yaml.safe_load(catalogue.read_text())["models"]
    entry = entries["tiny_vace"]
    folder = tmp_path / "weights"
    shutil.copytree(entry["source"]["folder"], folder / "owner--vace")
    entry = entry | {"source": {"repository": "owner/vace"}, "title": "By name"}
    text = yaml.safe_dump({"family": "wan", "models": {"by_name": entry}})
    (config / "models" / "by_name.yaml").write_text(text)
    return folder


@pytest.fixture
def tasks(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """A small task of every kind, by a name for it."""
    pictures = [tmp_path / f"{seed}.png" for seed in (1, 2)]
    for seed, path in enumerate(pictures):
        write_image(path, noise(1, seed=seed))
    first, second = clip(tmp_path, "a", 24), clip(tmp_path, "b", 9)
    return {
        "generate": {"type": "generate", "frames": 5},
        "windows": {"type": "generate", "frames": 17, "sliding_window_size": 13, "sliding_window_overlap": 5},
        "travel": {"type": "travel", "images": pictures, "frames": 9, "overlap": 4},
        "join": {"type": "join", "clips": (first, second), "gap": 5, "context": 2},
        "edit": {"type": "edit", "video": first, "portions": ("4-8",), "context": 2},
        "inpaint": {"type": "inpaint", "video": first, "portion": "6-12", "context": 2, "frames": 17},
    }


KINDS = ("generate", "windows", "travel", "join", "edit", "inpaint")


def called(values: dict[str, Any], folder: Path, **extra: Any) -> int:
    """The exit code of a command with these flags."""
    with pytest.raises(typer.Exit) as left:
        run_command(
            values["type"], COMMON | values | {"output_dir": folder}, TaskOptions(quiet=True, **extra)
        )
    return left.value.exit_code


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_runs_with_the_weights_of_the_flag(
    kind: str, models: Path, tasks: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    assert called(tasks[kind], tmp_path / "made", models_dir=models) == 0
    assert len(list((tmp_path / "made").glob("*.mkv"))) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_tells_of_the_weights_that_the_run_does_not_find(
    kind: str, models: Path, tasks: dict[str, dict[str, Any]], tmp_path: Path, capfd: Any
) -> None:
    for place, missing in ((models, 0), (tmp_path / "empty", 1)):
        values = COMMON | tasks[kind] | {"output_dir": tmp_path / "made"}
        run_command(tasks[kind]["type"], values, TaskOptions(dry_run=True, models_dir=place))
        notices = json.loads(capfd.readouterr().out)["notices"]
        assert sum("owner--vace" in notice and "is missing" in notice for notice in notices) == missing
    assert called(tasks[kind], tmp_path / "made", models_dir=tmp_path / "empty") == ModelError("").exit_code


@pytest.mark.slow
def test_a_batch_and_decode_use_the_weights_of_the_flag(
    run: Run, models: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"WANGP_CONFIG_DIR": str(config)}
    line = COMMON | {"frames": 17, "sliding_window_size": 13, "sliding_window_overlap": 5}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(line) + "\n")
    batch = ("batch", "tasks.jsonl", "--output-dir", "out", "--models-dir", models)
    assert run(*batch, env=env, code=0).only("task.completed")

    def away(*_: Any) -> Any:
        raise OSError(5, "the decoder is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Wan, "decode", away)
        assert called({"type": "generate", "frames": 5}, tmp_path / "made", models_dir=models) == 4
    [latents] = (tmp_path / "made").rglob("*.safetensors")
    run("decode", latents, "--models-dir", models, env=env, code=0)
    assert len(list((tmp_path / "made").glob("*.mkv"))) == 1


def test_an_estimate_tells_whether_the_weights_are_in_the_folder_of_the_flag(
    models: Path, tasks: dict[str, dict[str, Any]], tmp_path: Path, capfd: Any
) -> None:
    for place, words in ((models, "all here"), (tmp_path / "empty", "GB to fetch")):
        values = COMMON | tasks["travel"] | {"output_dir": tmp_path / "made"}
        run_command("travel", values, TaskOptions(estimate=True, models_dir=place))
        assert words in capfd.readouterr().out
