"""The tables of the older tools' keys."""

from __future__ import annotations

from wangp_cli.legacy.old_keys import (
    IGNORED,
    NEUTRAL,
    NEUTRAL_HINTS,
    READ_ELSEWHERE,
    RENAMED,
    RENAMED_VALUES,
)
from wangp_cli.tasks import TASKS


def test_a_key_is_in_one_table() -> None:
    tables = [set(RENAMED), set(IGNORED), set(NEUTRAL), set(READ_ELSEWHERE)]
    assert len(set().union(*tables)) == sum(map(len, tables))


def test_hints_and_values_are_of_keys_that_are_there() -> None:
    assert NEUTRAL_HINTS.keys() <= NEUTRAL.keys()
    assert RENAMED_VALUES.keys() <= RENAMED.keys()


def test_a_renamed_key_is_a_field_of_a_task() -> None:
    fields = {field for task in TASKS.values() for field in task.model_fields}
    assert set(RENAMED.values()) <= fields
