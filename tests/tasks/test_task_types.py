"""The mapping of task types to their classes."""

from __future__ import annotations

import pytest

from wangp_cli.tasks import TASKS
from wangp_cli.tasks.travel import Travel


def test_a_class_is_imported_by_its_type() -> None:
    assert TASKS["travel"] is Travel
    assert TASKS.get("travel") is Travel


@pytest.mark.parametrize("name", ["None", "fields", "no-such-task"])
def test_an_unknown_type_is_absent(name: str) -> None:
    assert name not in TASKS
    assert TASKS.get(name) is None
    with pytest.raises(KeyError):
        TASKS[name]
