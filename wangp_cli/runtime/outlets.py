"""Sinks of a run's events: console, stdout, events file."""

from __future__ import annotations

import os
import platform
import stat
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Self

from wangp_cli.errors import ResourceError
from wangp_cli.runtime.control.state import STDOUT_CLOSED
from wangp_cli.runtime.events.console import ConsoleSink
from wangp_cli.runtime.events.events_file import open_events_file
from wangp_cli.runtime.events.jsonl import JsonLines
from wangp_cli.runtime.events.stderr import discard_when_stopped
from wangp_cli.runtime.events.stream import Event, Sink, Stream
from wangp_cli.runtime.events.types import Log
from wangp_cli.runtime.run_options import RunOptions

# Before the first words are shown, only what they need is imported.
if TYPE_CHECKING:
    from wangp_cli.runtime.session import Session


class Outlets:
    """Where the events of a run go: JSON lines or a person's console, and a file.

    Args:
        options: of the run; the events file must be none of the files that they name.
        stdout: descriptor of the JSON lines.
    """

    def __init__(self, options: RunOptions, stdout: int) -> None:
        form: Callable[[Event], str] = Event.line
        if options.event_format == "cloudevents":
            form = partial(Event.cloud_line, host=platform.node())
        self._options = options
        self._file: int | None = None
        self.copy: JsonLines | None = None
        if options.events_file:
            self._file = open_events_file(options.events_file, options.files_used(), (0, stdout, 2))
            self.copy = JsonLines(self._file, form=form, durable=True)
        self.lines = JsonLines(stdout, form=form) if options.json_lines else None
        # Lines of JSON on a terminal are the display themselves.
        self._console = ConsoleSink(
            None if self.lines else sys.stdout,
            quiet=options.quiet,
            hidden=self.lines is not None and os.isatty(stdout),
            one_line=_is_pipe(stdout),
        )
        self.sinks: list[Sink] = [self._console, *filter(None, (self.lines, self.copy))]

    def __enter__(self) -> Self:
        """Show people that the command runs."""
        self._console.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Show it no more."""
        self._console.close()

    def attach(self, session: Session) -> None:
        """React when stdout is closed or the events file cannot be written; show what is asked of the run."""
        self._console.attach(session.control)
        for lines in filter(None, (self.lines, self.copy)):
            lines.stopping = lambda: session.control.stopped
        discard_when_stopped(lambda: session.control.stopped)
        if self.lines:
            self.lines.on_failure = partial(self._stdout_closed, session)
        if self.copy:
            self.copy.on_failure = partial(self._file_failed, session.stream)

    def _stdout_closed(self, session: Session) -> None:
        if self._options.on_broken_pipe == "abort":
            session.control.abort("reader_gone")
        elif self._options.on_broken_pipe == "stop":
            session.control.drain("reader_gone")

    def _file_failed(self, stream: Stream) -> None:
        reason = self.copy.error.strerror if self.copy and self.copy.error else "unknown"
        text = f"events_file: {self._options.events_file} is no longer written: {reason}"
        stream.emit(Log(level="warning", message=text))

    def close(self) -> None:
        """Write queued lines and close the events file."""
        for lines in (self.lines, self.copy):
            if lines:
                lines.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def exit_code(self, code: int) -> int:
        """`code`, or another exit code if the events could not be written to stdout."""
        if self.lines is None or self.lines.error is None or self._options.on_broken_pipe == "continue":
            return code
        return STDOUT_CLOSED if self.lines.reader_gone else code or ResourceError.exit_code


def _is_pipe(descriptor: int) -> bool:
    """Whether another program reads from a descriptor, which may write to the same terminal as we do."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
