"""A run from `run.started` to `run.finished`: event sinks, control server, exit code."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import sys
from pathlib import Path
from typing import Literal

from wangp_cli import __version__
from wangp_cli.errors import WangpError
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.control.server import ControlServer
from wangp_cli.runtime.events.stream import HeartbeatSender, Stream
from wangp_cli.runtime.events.types import Log, RunFinished, RunStarted
from wangp_cli.runtime.outlets import Outlets
from wangp_cli.runtime.run_options import RunOptions
from wangp_cli.runtime.session import Session


class _Forward(logging.Handler):
    """Emits log records of wangp as `log` events."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(logging.WARNING)
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        level: Literal["warning", "error"] = "error" if record.levelno >= logging.ERROR else "warning"
        self._stream.emit(Log(level=level, message=record.getMessage(), logger=record.name))


class Run:
    """One run of a command. `begin` emits the first event and `finish` the last; both at most once.

    Args:
        command: the word after `wangp`.
        session: where its tasks run.
        outlets: where its events go.
        options: of the run.
    """

    def __init__(self, command: str, session: Session, outlets: Outlets, options: RunOptions) -> None:
        self.session = session
        self.exit_code = 0
        self._command = command
        self._outlets = outlets
        self._options = options
        self._server: ControlServer | None = None
        self._heartbeats = HeartbeatSender(session.stream)
        self._open: contextlib.ExitStack | None = None

    def begin(self, *, planned: int | None = None, folders: tuple[Path, ...] = ()) -> None:
        """Install signal handlers, start the control server and emit `run.started`.

        Args:
            planned: how many tasks there are, where that is known.
            folders: where it writes to; `wangp control FOLDER` finds it by them.
        """
        session, stack = self.session, contextlib.ExitStack()
        refusal = self._serve(folders)
        self._open = stack
        stack.callback(session.control.install())
        self._outlets.attach(session)
        session.stream.emit(
            RunStarted(
                version=__version__,
                command=self._command,
                argv=bootstrap.command_line(),
                host=platform.node(),
                pid=os.getpid(),
                planned=planned,
                control=str(self._server.record.socket) if self._server else None,
            )
        )
        if refusal:
            session.stream.emit(Log(level="warning", message=refusal))
        if self._server and self._server.port:
            text = f"control on 127.0.0.1:{self._server.port}, token in {self._server.record.token}"
            session.stream.emit(Log(level="info", message=text))
        forward = _Forward(session.stream)
        logging.getLogger("wangp_cli").addHandler(forward)
        stack.callback(logging.getLogger("wangp_cli").removeHandler, forward)
        self._heartbeats.start()
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))

    def _serve(self, folders: tuple[Path, ...]) -> str | None:
        """Start the control server; the reason if it cannot start and no port was requested."""
        if not self._options.control:
            return None
        control, stream = self.session.control, self.session.stream
        try:
            self._server = ControlServer(
                control, stream.run, bootstrap.control_folders(), port=self._options.control_port
            )
        except (OSError, WangpError) as error:
            if self._options.control_port is not None:
                raise
            return str(error)
        for folder in folders:
            self._server.record.add_folder(folder)
        stream.add(self._server.note)
        return None

    def fail(self, error: WangpError) -> None:
        """Finish after an error outside of tasks."""
        if self._open is not None:
            # With a logger, so that the console leaves it out: the command prints the error itself.
            log = Log(level="error", message=error.message, logger=__name__)
            self.session.stream.emit(log)
            self.finish(error.exit_code)

    def finish(self, code: int, *, stopped: bool = True) -> None:
        """Emit `run.finished` and release models, server and sinks.

        Args:
            code: its exit code, unless it was stopped or stdout was closed.
            stopped: whether a signal or `abort` ended it; one that came after the last task did not.
        """
        if self._open is None:
            return
        session, stack, self._open = self.session, self._open, None
        control = session.control
        if stopped and control.exit_code is not None:
            code = control.exit_code
        with stack:
            session.pool.close()
            self._heartbeats.stop()
            if self._server:
                self._server.close()
            if self._outlets.lines:
                self._outlets.lines.flush()
                code = self._outlets.exit_code(code)
            reason = control.reason if stopped else None
            session.stream.emit(RunFinished(counts=session.stream.counts, exit_code=code, reason=reason))
            self._outlets.close()
            self.exit_code = self._outlets.exit_code(code)
