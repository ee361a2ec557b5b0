"""`wangp generate`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.generate import Generate

generate = bind(Generate, partial(run_command, "generate"), TaskOptions, positional="prompt")
