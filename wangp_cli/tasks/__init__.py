"""What a user may ask: typed declarations only."""

from __future__ import annotations

from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.render import Render

TASKS: dict[str, type[Render]] = {"generate": Generate}
"""Every task type by its name."""
