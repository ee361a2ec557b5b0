"""How a request ended, and whether it is tried again."""

from __future__ import annotations

from wangp_cli.errors import ConflictError
from wangp_cli.runtime.outcome import Outcome


def test_the_exit_code_is_that_of_the_error() -> None:
    assert Outcome(status="completed").exit_code == 0
    assert Outcome(status="failed", error=ConflictError("taken")).exit_code == 5
