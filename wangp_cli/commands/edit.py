"""`wangp edit`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._run import EXTRA, PLAN, run_command
from wangp_cli.tasks.edit import Edit

edit = bind(Edit, partial(run_command, "edit"), positional="video", extra=[PLAN, *EXTRA])
