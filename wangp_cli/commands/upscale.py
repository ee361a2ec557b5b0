"""`wangp upscale`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.upscale import Upscale

upscale = bind(Upscale, partial(run_command, "upscale"), TaskOptions, positional="video")
