"""What a user may ask: typed declarations only."""

from __future__ import annotations

from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.task import Task

TASKS: dict[str, type[Task]] = {"generate": Generate}
"""Every task type by its name."""
