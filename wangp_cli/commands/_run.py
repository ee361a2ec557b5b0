"""Running one task from flags: the options every such command has, and its way from flags to an exit code."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from wangp_cli import __version__
from wangp_cli.commands._bind import parameter
from wangp_cli.presets import Layer
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.console import ConsoleSink, JsonLines, show_error
from wangp_cli.runtime.events import RunFinished, RunStarted, Sink
from wangp_cli.runtime.execute import as_known, execute
from wangp_cli.runtime.resolve import resolve
from wangp_cli.runtime.session import Session
from wangp_cli.runtime.settings_file import load_settings_file

STARTER = Layer(name="default", values={"model": "starter"})
"""The model of a person who names none; programs must say theirs."""
PANEL = "Command"


def _extra(name: str, kind: Any, metavar: str, help_: str, *names: str) -> inspect.Parameter:
    mark = typer.Option(*names, help=help_, metavar=metavar, rich_help_panel=PANEL)
    return parameter(name, Annotated[kind | None, mark])


EXTRA = [
    _extra(
        "preset", list[str], "NAME", "Named values to start from; repeatable, later ones win.", "--preset"
    ),
    _extra(
        "settings_file",
        Path,
        "FILE",
        "Settings to start from: JSON, or an earlier result.",
        "--settings-file",
    ),
    _extra("dry_run", bool, "", "Print the resolved request as JSON and stop.", "--dry-run"),
    _extra("json", bool, "", "Write events as JSON lines to stdout.", "--json"),
    _extra("quiet", bool, "", "Print only paths and errors.", "--quiet", "-q"),
    _extra("manifest_path", Path, "FILE", "File of the run history.", "--manifest-path"),
    _extra("log_level", str, "LEVEL", "DEBUG, INFO, WARNING or ERROR.", "--log-level"),
]


def run_command(command: str, said: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Run one task and leave with its exit code."""
    lines = JsonLines(stdout_descriptor()) if extra.get("json") else None
    sinks: list[Sink] = []
    if not extra.get("dry_run"):
        sinks.append(lines or ConsoleSink(quiet=bool(extra.get("quiet"))))
    with errors_shown():
        session = bootstrap.start(
            sinks, log_level=extra.get("log_level"), manifest_path=extra.get("manifest_path")
        )
        if extra.get("dry_run"):
            request = resolve(_layers(command, said, extra, session), session)
            sys.stdout.write(json.dumps(request.document(), indent=2) + "\n")
            return
        code = _run(command, said, extra, session)
    raise typer.Exit(141 if lines and lines.closed else code)


def _run(command: str, said: Mapping[str, Any], extra: Mapping[str, Any], session: Session) -> int:
    restore = session.stop.install()
    stream = session.stream
    stream.emit(RunStarted(version=__version__, command=command, host=platform.node(), pid=os.getpid()))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            outcome = execute(lambda: _layers(command, said, extra, session), session, said.get("task_id"))
    finally:
        session.pool.close()
        restore()
    # A signal that came after the last step stopped nothing.
    stopped = outcome.status == "cancelled" and session.stop.signal
    code = 128 + stopped if stopped else outcome.exit_code
    stream.emit(RunFinished(counts=stream.counts, exit_code=code))
    return code


def _layers(command: str, said: Mapping[str, Any], extra: Mapping[str, Any], session: Session) -> list[Layer]:
    """The layers of one command, from the weakest: its type, presets, the settings file, the flags."""
    layers = [Layer(name="command", values={"type": command})]
    if not session.settings.model:
        layers.append(STARTER)
    layers += [
        Layer(name=f"preset {name}", values=session.presets.get(name).values)
        for name in extra.get("preset", [])
    ]
    if path := extra.get("settings_file"):
        layers.append(load_settings_file(path))
    return [*layers, Layer(name="flag", values=said)]


def stdout_descriptor() -> int:
    """The descriptor of the real stdout."""
    return sys.stdout.fileno()


@contextlib.contextmanager
def errors_shown() -> Iterator[None]:
    """Turn an error into one message and its exit code."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - the console edge
        known = as_known(error)
        show_error(known.message, known.hint)
        raise typer.Exit(known.exit_code) from None
