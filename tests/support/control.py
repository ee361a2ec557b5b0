"""Runs to steer: the events of their tasks, and their sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wangp_cli.runtime.control.server import ControlServer
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import TaskAccepted, TaskCompleted, TaskStarted


def start(stream: Stream, task: str) -> None:
    """Emit the events of a task that starts."""
    stream.emit(TaskAccepted(request={}, origin={}), task=task)
    stream.emit(TaskStarted(), task=task)


def complete(stream: Stream, task: str) -> None:
    """Emit the event of a task that completes."""
    stream.emit(TaskCompleted(manifest={"task_id": task, "status": "success"}), task=task)


@contextlib.contextmanager
def serving(control: Control, folder: Path, run: str = "run-1", **more: Any) -> Iterator[ControlServer]:
    """A server in `folder`, closed at the end."""
    server = ControlServer(control, run, [folder], **more)
    try:
        yield server
    finally:
        server.close()
