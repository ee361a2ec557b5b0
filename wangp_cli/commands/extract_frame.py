"""`wangp extract-frame`."""

from __future__ import annotations

from functools import partial

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.extract_frame import ExtractFrame

extract_frame = bind(ExtractFrame, partial(run_command, "extract-frame"), TaskOptions, positional="video")
