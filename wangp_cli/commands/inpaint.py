"""`wangp inpaint`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.inpaint import Inpaint

inpaint = bind(Inpaint, partial(run_command, "inpaint"), TaskOptions, positional="video")
