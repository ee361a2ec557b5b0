"""`wangp rife`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.tasks.rife import Rife


def _run(values: Mapping[str, Any], options: TaskOptions) -> None:
    run_command("rife", _two_images(values), options)


def _two_images(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the first of two files as the first image: `wangp rife a.png b.png`."""
    if "video" not in values or "image_end" not in values or "image_start" in values:
        return dict(values)
    others = {name: value for name, value in values.items() if name != "video"}
    return {**others, "image_start": values["video"]}


rife = bind(Rife, _run, TaskOptions, positional=("video", "image_end"))
