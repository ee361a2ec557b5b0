"""Show events to people: progress and messages on stderr, paths of finished files on stdout."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from wangp_cli.runtime.events.messages import show_error, show_note, stderr_console, write_path
from wangp_cli.runtime.events.stream import Event
from wangp_cli.runtime.events.types import ACCOMPANYING


class _Speed(ProgressColumn):
    """A column with steps per second and the time left."""

    def render(self, task: Task) -> Text:
        """The text for one bar."""
        parts = []
        if task.fields.get("it_s"):
            parts.append(f"{task.fields['it_s']:.2f} it/s")
        if task.fields.get("eta_s"):
            parts.append(f"{task.fields['eta_s']:.0f} s left")
        return Text(", ".join(parts), style="dim")


class ConsoleSink:
    """A sink that shows a run: a progress bar with its stage, notices, errors, and paths of finished files.

    Args:
        paths: where paths of finished files are printed.
        quiet: print only paths and errors.
    """

    def __init__(self, paths: TextIO | None = None, *, quiet: bool = False) -> None:
        self._paths = paths or sys.stdout
        self._quiet = quiet
        self._console = stderr_console()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            _Speed(),
            console=self._console,
            transient=True,
            disable=quiet or not self._console.is_terminal,
        )
        self._bar = None if self._progress.disable else self._progress.add_task("", total=1, visible=False)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        data = event.data
        match event.type:
            case "task.started":
                self._progress.start()
            case "task.stage" | "task.progress":
                self._draw(event)
            case "log" if not self._quiet and data["logger"] is None:
                show_note(data["message"], self._console)
            case "artifact.created" if data["role"] not in ACCOMPANYING:
                self._write_path(data["path"])
            case "task.failed" | "task.rejected":
                self._progress.stop()
                show_error(data["error"]["message"], data["error"]["hint"], self._console)
            case "task.cancelled":
                self._progress.stop()
                self._console.print(Text("stopped", style="bold yellow"))
            case "task.completed" | "run.finished":
                self._progress.stop()

    def _write_path(self, path: str) -> None:
        """Print the path of a finished file; the bar is hidden meanwhile."""
        drawing = self._bar is not None and self._progress.live.is_started
        self._progress.stop()
        write_path(path, self._paths)
        if drawing:
            self._progress.start()

    def _draw(self, event: Event) -> None:
        if self._bar is None:
            return
        data = event.data
        if event.type == "task.stage":
            which = f" {data['result']}/{data['results']}" if data["results"] > 1 else ""
            self._progress.reset(
                self._bar, description=f"{data['label']}{which}", total=1, visible=True, it_s=None, eta_s=None
            )
        else:
            self._progress.update(
                self._bar, completed=data["step"], total=data["total"], it_s=data["it_s"], eta_s=data["eta_s"]
            )
