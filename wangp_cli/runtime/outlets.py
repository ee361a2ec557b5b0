"""Where a run reports: console, stdout, events file."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wangp_cli.errors import RequestError, ResourceError
from wangp_cli.runtime.events.console import ConsoleSink
from wangp_cli.runtime.events.events_file import open_events_file
from wangp_cli.runtime.events.jsonl import JsonLines
from wangp_cli.runtime.events.stream import Event, Sink, Stream
from wangp_cli.runtime.events.types import Log
from wangp_cli.runtime.progress import SECONDS_BETWEEN
from wangp_cli.runtime.session import Session

READER_GONE = 141


class Options(BaseModel):
    """Options of a command that are not its task's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def of(cls, extra: Mapping[str, Any]) -> Self:
        """From what was said on the command line.

        Raises:
            RequestError: a value is out of range.
        """
        try:
            return cls.model_validate(extra)
        except ValidationError as error:
            first = error.errors()[0]
            name = "--" + str(first["loc"][0]).replace("_", "-")
            raise RequestError(name, f"{first['input']!r}: {first['msg'].lower()}") from None


class Reporting(Options):
    """How a run speaks and listens."""

    json_lines: bool = Field(default=False, alias="json")
    quiet: bool = False
    event_format: Literal["plain", "cloudevents"] = "plain"
    events_file: Path | None = None
    progress_interval: float = Field(default=SECONDS_BETWEEN, ge=0, le=3600, allow_inf_nan=False)
    on_broken_pipe: Literal["stop", "continue", "abort"] = "stop"
    control: bool = True
    control_port: int | None = Field(default=None, ge=0, le=65535)


class Outlets:
    """Where the events of a run go: JSON lines or a person's console, and a file.

    Args:
        reporting: how the run speaks.
        stdout: descriptor of the JSON lines.
        used: files that the run reads or writes otherwise; the events file must be none of them.
    """

    def __init__(self, reporting: Reporting, stdout: int, used: Iterable[Path] = ()) -> None:
        form: Callable[[Event], str] = Event.line
        if reporting.event_format == "cloudevents":
            form = partial(Event.cloud_line, host=platform.node())
        self._reporting = reporting
        self._file: int | None = None
        self.copy: JsonLines | None = None
        if reporting.events_file:
            self._file = open_events_file(reporting.events_file, used, (0, stdout, 2))
            self.copy = JsonLines(self._file, form=form, durable=True)
        self.lines = JsonLines(stdout, form=form) if reporting.json_lines else None
        own: Sink = self.lines or ConsoleSink(quiet=reporting.quiet)
        self.sinks: list[Sink] = [own, *([self.copy] if self.copy else [])]

    def attach(self, session: Session) -> None:
        """Tell a run when its reader has gone or its file cannot be written."""
        if self.lines:
            self.lines.on_failure = partial(self._reader_gone, session)
        if self.copy:
            self.copy.on_failure = partial(self._file_failed, session.stream)

    def _reader_gone(self, session: Session) -> None:
        if self._reporting.on_broken_pipe == "abort":
            session.control.abort("reader_gone")
        elif self._reporting.on_broken_pipe == "stop":
            session.control.drain("reader_gone")

    def _file_failed(self, stream: Stream) -> None:
        reason = self.copy.error.strerror if self.copy and self.copy.error else "unknown"
        text = f"events_file: {self._reporting.events_file} is no longer written: {reason}"
        stream.emit(Log(level="warning", message=text))

    def close(self) -> None:
        """Write what waits."""
        for lines in (self.lines, self.copy):
            if lines:
                lines.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def exit_code(self, code: int) -> int:
        """The exit code of a run that would leave with `code`, as far as it could be told to its reader."""
        if self.lines is None or self.lines.error is None or self._reporting.on_broken_pipe == "continue":
            return code
        return READER_GONE if self.lines.reader_gone else code or ResourceError.exit_code
