"""What a user may ask: typed declarations only."""

from __future__ import annotations

from wangp_cli.tasks.edit import Edit
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.inpaint import Inpaint
from wangp_cli.tasks.join import Join
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.travel import Travel

TASKS: dict[str, type[Render]] = {
    "generate": Generate,
    "travel": Travel,
    "join": Join,
    "edit": Edit,
    "inpaint": Inpaint,
}
"""Every task type by its name."""
