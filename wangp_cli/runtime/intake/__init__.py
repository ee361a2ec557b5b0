"""Task files of every kind: read line by line, translated, checked against the path and URL policies."""

from __future__ import annotations

from wangp_cli.runtime.intake.folder_tasks import each_image, each_video
from wangp_cli.runtime.intake.path_policy import check_paths, confine_output
from wangp_cli.runtime.intake.readers import read_lines
from wangp_cli.runtime.intake.task_line import TaskLine
from wangp_cli.runtime.intake.watch import Watcher

__all__ = ["TaskLine", "Watcher", "check_paths", "confine_output", "each_image", "each_video", "read_lines"]
