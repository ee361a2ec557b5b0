"""Options of commands that run one task."""

from __future__ import annotations

from pathlib import Path

import pytest

from wangp_cli.commands._options import TaskOptions


@pytest.mark.parametrize("name", ["dry_run", "estimate", "plan"])
def test_a_task_that_is_only_shown_is_not_run(name: str) -> None:
    assert TaskOptions.model_validate({name: True}).only_shows
    assert not TaskOptions().only_shows


def test_the_settings_file_is_one_that_the_run_uses() -> None:
    options = TaskOptions(settings_file=Path("a.json"), manifest_path=Path("runs.jsonl"))
    assert options.files_used() == [Path("runs.jsonl"), Path("a.json")]
