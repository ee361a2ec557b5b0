"""`wangp preprocess`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.preprocess import Preprocess

preprocess = bind(Preprocess, partial(run_command, "preprocess"), TaskOptions, positional=("kind", "video"))
