"""Requests after their `prepare` hook."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.conftest import Make
from tests.support.event_checks import check_event
from tests.support.task_types import TASK_TYPES
from wangp_cli.media.metadata import read_comment
from wangp_cli.runtime.intake.settings_file import load_settings_file


def test_a_prepared_prompt_is_recorded_and_not_prepared_again(make: Make, tmp_path: Path) -> None:
    made = make(type="enhanced", enhance=True, frames=5, steps=1, tasks=TASK_TYPES)
    manifest = made.outcome.manifest
    assert manifest is not None
    assert manifest["request"]["prompt"] == manifest["inputs"]["prompt"] == "a red circle moves right"
    assert (manifest["origin"]["prompt"], manifest["origin"]["enhance"]) == ("enhanced", "enhanced")
    [event] = [event for event in made.events if event.type == "task.prepared"]
    check_event(json.loads(event.line()))
    assert event.data == {
        "values": {"prompt": "a red circle moves right", "enhance": False},
        "origin": {"prompt": "enhanced", "enhance": "enhanced"},
    }
    embedded = json.loads(read_comment(made.path) or "")
    assert embedded["prompt"] == "a red circle moves right"
    assert embedded["wangp"]["origin"]["prompt"] == "enhanced"
    line = tmp_path / "line.json"
    line.write_text(json.dumps(manifest), encoding="utf-8")
    again = make(
        None, layers=(load_settings_file(line, TASK_TYPES),), name="again", prompt=None, tasks=TASK_TYPES
    )
    assert np.array_equal(again.frames, made.frames)
    assert not [event for event in again.events if event.type == "task.prepared"]
    plain = make(prompt="a red circle moves right", frames=5, steps=1, name="plain")
    assert np.array_equal(plain.frames, made.frames)


def test_a_hook_that_changes_what_paths_depend_on_fails(make: Make) -> None:
    made = make(type="overreaching", enhance=True, frames=5, steps=1, tasks=TASK_TYPES)
    assert (made.outcome.status, made.outcome.exit_code) == ("failed", 1)
    assert "prepare of overreaching changed frames" in str(made.outcome.error)
