"""Running one task from flags: the options every such command has, and its way from flags to an exit code."""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from wangp_cli.commands._bind import metavar_of, parameter
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.error_mapping import to_wangp_error
from wangp_cli.runtime.events.console import show_error
from wangp_cli.tasks.generate import Generate
from wangp_cli.value_layers import Layer

if TYPE_CHECKING:
    from wangp_cli.plan import Plan
    from wangp_cli.runtime.request.request import Request
    from wangp_cli.runtime.run import Run
    from wangp_cli.runtime.session import Session

STARTER = Layer(kind="default", values={"model": "starter"})
"""The model of a person who names none; programs must say theirs."""
PANEL = "Command"
FILES = ("settings_file", "manifest_path", "latents")
"""Options of commands that name a file, which must be another than the events file."""


def extra_option(
    name: str, kind: Any, help_: str, *names: str, panel: str = PANEL, metavar: str | None = None
) -> inspect.Parameter:
    """A parameter of a command that is not its task's; None means not said."""
    shown = metavar_of(kind) if metavar is None else metavar
    mark = typer.Option(*names, help=help_, metavar=shown, rich_help_panel=panel)
    return parameter(name, Annotated[kind | None, mark])


EXTRA = [
    extra_option(
        "preset",
        list[str],
        "Named values to start from; repeatable, later ones win.",
        "--preset",
        metavar="NAME",
    ),
    extra_option(
        "settings_file",
        Path,
        "Settings to start from: JSON, or an earlier result.",
        "--settings-file",
        metavar="FILE",
    ),
    extra_option("dry_run", bool, "Print the resolved request as JSON and stop.", "--dry-run"),
    extra_option(
        "estimate",
        bool,
        "Print what it will take of memory, disk and time, and stop; loads no weights. JSON with --json.",
        "--estimate",
    ),
    extra_option("json", bool, "Write events as JSON lines to stdout.", "--json"),
    extra_option("quiet", bool, "Print only paths and errors.", "--quiet", "-q"),
    extra_option("manifest_path", Path, "File of the run history.", "--manifest-path", metavar="FILE"),
    extra_option("models_dir", Path, "Folder of the models' weights.", "--models-dir", metavar="FOLDER"),
    extra_option("log_level", str, "DEBUG, INFO, WARNING or ERROR.", "--log-level", metavar="LEVEL"),
    extra_option("events_file", Path, "Append the events to a file, too.", "--events-file", metavar="FILE"),
    extra_option(
        "event_format", Literal["plain", "cloudevents"], "Form of the events' lines.", "--event-format"
    ),
    extra_option(
        "progress_interval",
        float,
        "Least time between progress events.",
        "--progress-interval",
        metavar="SECONDS",
    ),
    extra_option(
        "on_broken_pipe",
        Literal["stop", "continue", "abort"],
        "When the reader of stdout goes away: end after this task, go on, or stop at once.",
        "--on-broken-pipe",
    ),
    extra_option("control", bool, "Let `wangp control` steer this run.", "--control/--no-control"),
    extra_option(
        "control_port",
        int,
        "Listen on this port of 127.0.0.1, too; 0 takes any.",
        "--control-port",
        metavar="PORT",
    ),
]


PLAN = extra_option(
    "plan",
    bool,
    "Print how many frames each part has and stop; needs no weights. JSON with --json.",
    "--plan",
)
"""For tasks with a plan."""


@contextlib.contextmanager
def open_run(
    command: str, extra: Mapping[str, Any], *, silent: bool = False, used: Sequence[Path] = ()
) -> Iterator[Run]:
    """A run of a command with the outlets its options ask for; it is finished when the block is left.

    Args:
        command: the word after `wangp`.
        extra: what was said of `EXTRA`.
        silent: without events, for a dry run.
        used: files that the command reads or writes, and folders of such files.
    """
    # Here and below: what only a run needs is imported when it runs, so that help answers at once.
    from wangp_cli.runtime.outlets import Outlets, Reporting
    from wangp_cli.runtime.run import Run

    reporting = Reporting.of(extra)
    named = [*used, *(Path(extra[name]) for name in FILES if extra.get(name))]
    outlets = None if silent else Outlets(reporting, stdout_descriptor(), named)
    session = bootstrap.start(
        outlets.sinks if outlets else [],
        log_level=extra.get("log_level"),
        manifest_path=extra.get("manifest_path"),
        events_file=reporting.events_file,
        models_dir_override=extra.get("models_dir"),
        progress_interval=reporting.progress_interval,
    )
    run = Run(command, session, outlets, reporting)
    try:
        yield run
    except Exception as error:
        run.fail(to_wangp_error(error))
        raise
    run.finish(0)


def exit_with(run: Run) -> NoReturn:
    """End the command with the run's exit code."""
    raise typer.Exit(run.exit_code)


def run_command(command: str, said: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Run one task and leave with its exit code."""
    from wangp_cli.runtime.execute import execute
    from wangp_cli.runtime.request.resolve import resolve

    dry = any(extra.get(name) for name in ("dry_run", "plan", "estimate"))
    with report_errors():
        with open_run(command, extra, silent=dry) as run:
            session = run.session
            if dry:
                request = resolve(_layers(command, said, extra, session), session)
                sys.stdout.write(_shown(request, extra, session) + "\n")
                return
            run.begin(planned=1)
            outcome = execute(lambda: _layers(command, said, extra, session), session, said.get("task_id"))
            # A signal that came after the last step stopped nothing.
            run.finish(outcome.exit_code, stopped=outcome.status == "cancelled")
        exit_with(run)


def _shown(request: Request, extra: Mapping[str, Any], session: Session) -> str:
    """What a dry run prints: the plan or the estimate alone where that is asked for, else the request."""
    if extra.get("estimate"):
        from wangp_cli.commands._estimate import shown

        return shown(request, session, json=bool(extra.get("json")))
    if extra.get("plan") and (plan := request.plan or _one_run(request)):
        if extra.get("json"):
            return plan.model_dump_json(indent=2)
        from wangp_cli.plan import describe

        return describe(plan)
    return json.dumps(request.document(), indent=2)


def _one_run(request: Request) -> Plan | None:
    """The plan of a video that the model makes in one run; None of a picture."""
    task = request.task
    if request.frames == 1 or not isinstance(task, Generate):
        return None
    from wangp_cli.plan import plan_windows

    return plan_windows(
        request.frames,
        window=request.frames,
        overlap=task.window_overlap(request.spec) if task.video_source else 1,
        grid=request.spec.grid,
        fps=Fraction(task.fps),
        before=sum(facts.frames for facts in request.facts.of("video_source")),
    )


def _layers(command: str, said: Mapping[str, Any], extra: Mapping[str, Any], session: Session) -> list[Layer]:
    """The layers of one command, from the weakest: its type, presets, the settings file, the flags."""
    layers = [Layer(kind="command", values={"type": command})]
    if not session.settings.model:
        layers.append(STARTER)
    layers += [
        Layer(kind="preset", name=name, values=session.presets.get(name).values)
        for name in extra.get("preset", [])
    ]
    if path := extra.get("settings_file"):
        from wangp_cli.runtime.intake.settings_file import load_settings_file

        layers.append(load_settings_file(path))
    return [*layers, Layer(kind="flag", values=said)]


def stdout_descriptor() -> int:
    """The descriptor of the real stdout."""
    return sys.stdout.fileno()


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Turn an error into one message and its exit code."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - the console edge
        known = to_wangp_error(error)
        show_error(known.message, known.hint)
        raise typer.Exit(known.exit_code) from None
