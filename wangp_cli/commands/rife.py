"""`wangp rife`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.rife import Rife

rife = bind(Rife, partial(run_command, "rife"), TaskOptions, positional="video")
