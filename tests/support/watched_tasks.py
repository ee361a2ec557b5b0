"""Tasks of watched files."""

from __future__ import annotations

from typing import Any


def task(number: int) -> dict[str, Any]:
    """A task with the id `tNUMBER`."""
    return {"task_id": f"t{number}", "model": "starter", "prompt": f"circle {number}"}


def ids(lines: Any) -> list[str | None]:
    """The task ids of lines."""
    return [line.task_id for line in lines]
