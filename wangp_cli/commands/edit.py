"""`wangp edit`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.edit import Edit

edit = bind(Edit, partial(run_command, "edit"), TaskOptions, positional="video")
