"""`wangp matanyone`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.matanyone import Matanyone

matanyone = bind(Matanyone, partial(run_command, "matanyone"), TaskOptions, positional="video")
