"""`wangp models`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run


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
