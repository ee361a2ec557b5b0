"""`wangp models`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import Run
from wangp_cli.commands import models, presets


def test_models_are_listed_for_people_and_programs(run: Run) -> None:
    people, programs = run("models", env={"COLUMNS": "80"}, code=0), run("models", "--json", code=0)
    assert max(map(len, people.stdout.splitlines())) <= 80
    entries = {entry["name"]: entry for entry in programs.json()}
    assert set(entries) >= {
        "starter", "t2v_1.3B", "t2v", "i2v", "i2v_720p", "flf2v_720p", "vace_1.3B", "vace_14B",
    }  # fmt: skip
    assert all(name in people.stdout for name in entries)
    assert entries["vace_14B"]["accepts"] == sorted(entries["vace_14B"]["accepts"])
    assert entries["t2v"]["present"] is False


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without settings, models or weights."""
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANGP_MODELS_DIR", str(tmp_path / "models"))


def called(app: Any, *arguments: str, width: int = 80) -> str:
    """What a command prints in this process."""
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(width)})
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("width", [80, 160])
def test_the_list_tells_inputs_sizes_and_licence(width: int) -> None:
    text = called(models.app, "list", width=width)
    for word in ("inputs", "licence", "size", "memory", "weights", "14.5 GB", "11.4 GB", "Apache-2.0"):
        assert word in text
    assert "control, end, mask" in text
    assert max(map(len, text.splitlines())) <= width
    assert called(models.app, width=width) == text
    assert called(models.app, "list", "--json") == called(models.app, "--json")


@pytest.mark.usefixtures("clean")
def test_what_ran_of_a_model_is_told_apart_from_what_its_architecture_passed() -> None:
    text = called(models.app, "show", "t2v_1.3B")
    assert re.search(r"architecture +t2v: tested with random weights", text)
    assert re.search(r"weights +never run", text)
    assert re.search(r"size +14.5 GB", text)
    assert "transformer 1.4 billion" in text
    assert not re.search(r"\d{7}", text)
    facts = json.loads(called(models.app, "show", "t2v_1.3B", "--json"))
    assert (facts["status"], facts["weights_run"], facts["bytes"]) == ("tested", None, 14453599334)
    ran = called(models.app, "show", "starter", width=200)
    assert re.search(r"weights +run on \d{4}-\d\d-\d\d, .* seconds a step, .* of memory", ran)


@pytest.mark.usefixtures("clean")
def test_weights_that_are_absent_are_not_removed() -> None:
    assert called(models.app, "remove", "t2v", "--yes").startswith("t2v: the weights are absent")
    removed = json.loads(called(models.app, "remove", "t2v", "--yes", "--json"))
    assert removed == {"removed": [], "bytes": 0, "kept": {}}


@pytest.mark.usefixtures("clean")
def test_presets_are_listed_by_name_of_the_command_too() -> None:
    assert called(presets.app, "list") == called(presets.app)
    assert called(presets.app, "list", "--json") == called(presets.app, "--json")


def test_a_model_is_shown_and_a_misspelt_one_named(run: Run) -> None:
    shown = run("models", "show", "t2v_14B", "--json", code=0).json()
    assert (shown["name"], shown["architecture"]) == ("t2v", "t2v")
    assert "Wan-AI/Wan2.1-T2V-14B-Diffusers" in run("models", "show", "t2v", code=0).stdout
    refused = run("models", "show", "t2vv", code=2)
    assert "did you mean" in refused.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "family: wan\nmodels: {mine: {title: X, source: {folder: x}, accepts: []}}",
            "architecture is missing",
        ),
        (
            "family: wan\nmodels: {mine: {title: X, source: {folder: x, repository: a/b}, accepts: []}}",
            "one place",
        ),
        ("family: wan\nmodels: {mine: {network: t2v_14}}", "did you mean t2v_14B"),
        ("family: wan\nmodels: {mine: {source: {file: x, components: t2w}}}", "there is no model 't2w'"),
        ("family: wan\nmodels: {mine: {title: X}}", "mine: source"),
        ("family: other\nmodels: {}", "family"),
        ("- list", "mine.yaml"),
        ("a: &a [1]\nb: *a", "anchors"),
        ("a: !!python/object:os.system {}", "not YAML"),
        ("a: 2026-99-99", "not YAML"),
        ("[" * 5000, "mine.yaml"),
        (b"\xff\xfe\x00", "mine.yaml"),
    ],
)
def test_a_broken_catalogue_file_is_named(run: Run, tmp_path: Path, text: str | bytes, said: str) -> None:
    (tmp_path / "config" / "models").mkdir(parents=True)
    (tmp_path / "config" / "models" / "mine.yaml").write_bytes(
        text if isinstance(text, bytes) else text.encode()
    )
    result = run("models", env={"WANGP_CONFIG_DIR": str(tmp_path / "config")}, code=3)
    assert said in result.stderr
    assert "mine.yaml" in result.stderr
    assert "bug of wangp" not in result.stderr


def test_a_model_of_the_user_joins_the_others_even_without_defaults(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config" / "models").mkdir(parents=True)
    (tmp_path / "config" / "models" / "mine.yaml").write_text(
        "family: wan\nmodels: {mine: {title: Mine, architecture: t2v, source: {folder: ~/mine}, accepts: []}}"
    )
    result = run("models", env={"WANGP_CONFIG_DIR": str(tmp_path / "config")}, code=0)
    assert "mine" in result.stdout
    assert "vace_14B" in result.stdout
