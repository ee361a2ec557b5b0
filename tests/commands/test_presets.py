"""`wangp presets`."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Run


def test_presets_are_listed_and_shown(run: Run) -> None:
    assert {preset["name"] for preset in run("presets", "--json", code=0).json()} >= {"draft", "hd"}
    assert "33" in run("presets", "show", "draft", code=0).stdout
    assert "did you mean draft" in run("presets", "show", "drafft", code=2).stderr


def test_a_preset_of_the_user_with_an_unknown_key_is_refused_by_both_names(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config" / "presets").mkdir(parents=True)
    (tmp_path / "config" / "presets" / "mine.yaml").write_text("values: {stepps: 3}")
    result = run(
        "generate", "x", "--preset", "mine", "--dry-run",
        env={"WANGP_CONFIG_DIR": str(tmp_path / "config")}, code=2,
    )  # fmt: skip
    assert "stepps" in result.stderr
    assert "preset mine" in result.stderr
    assert "steps" in result.stderr
