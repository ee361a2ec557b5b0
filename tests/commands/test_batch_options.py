"""Options of `wangp batch`."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from wangp_cli.commands._batch_options import BatchOptions
from wangp_cli.runtime.intake.watch_list import failed_path


def test_files_of_tasks_are_used_and_standard_input_is_none() -> None:
    assert BatchOptions(tasks="tasks.jsonl").files_used() == [Path("tasks.jsonl")]
    assert BatchOptions(tasks="/dev/stdin").tasks == "-"
    assert BatchOptions(tasks="/dev/stdin").files_used() == []
    assert BatchOptions(tasks="/dev/stdin").is_stream


def test_a_watched_file_is_used_with_that_of_failed_tasks() -> None:
    watched = Path("new.jsonl")
    assert BatchOptions(watch=watched).files_used() == [watched, failed_path(watched)]


def test_a_folder_is_used_if_the_events_could_become_a_prompt_of_it() -> None:
    folder = Path("images")
    assert folder in BatchOptions(each_image=folder, events_file=Path("images/a.txt")).files_used()
    assert folder not in BatchOptions(each_image=folder, events_file=Path("images/a.log")).files_used()


@pytest.mark.parametrize("option", ["poll_interval", "task_timeout"])
@pytest.mark.parametrize("seconds", [1e-300, 0, 1e308, float("inf")])
def test_a_time_that_no_clock_counts_is_refused(option: str, seconds: float) -> None:
    with pytest.raises(ValidationError, match=option):
        BatchOptions(**{option: seconds})


@pytest.mark.parametrize("option", ["phase_group", "limit", "retries"])
@pytest.mark.parametrize("count", [-1, 2**63, 10**30])
def test_a_count_that_nothing_holds_is_refused(option: str, count: int) -> None:
    with pytest.raises(ValidationError, match=option):
        BatchOptions(**{option: count})
