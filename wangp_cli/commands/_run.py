"""Run the task of a command line and exit with its code, or print what it would do."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from wangp_cli.runtime.events.messages import write_text

# What only a run needs is imported when it runs, so that help answers at once.
if TYPE_CHECKING:
    from wangp_cli.commands._options import TaskOptions
    from wangp_cli.plan.model import Plan
    from wangp_cli.runtime.request.request import Request
    from wangp_cli.runtime.run import Run
    from wangp_cli.runtime.run_options import RunOptions
    from wangp_cli.runtime.session import Session
    from wangp_cli.value_layers import Layer


@contextlib.contextmanager
def open_run(command: str, options: RunOptions) -> Iterator[Run]:
    """A run of a command, reported as its options say; the run is finished when the block ends.

    Args:
        command: the word after `wangp`.
        options: of the run.
    """
    from wangp_cli.runtime.outlets import Outlets

    with Outlets(options, stdout_descriptor()) as outlets:
        # After the first words are shown, because these take a while.
        from wangp_cli.runtime import bootstrap
        from wangp_cli.runtime.error_mapping import to_wangp_error
        from wangp_cli.runtime.run import Run

        run = Run(command, bootstrap.start(outlets.sinks, options), outlets, options)
        try:
            yield run
        except Exception as error:
            run.fail(to_wangp_error(error))
            raise
        run.finish(0)


def exit_with(run: Run) -> NoReturn:
    """End the command with the run's exit code."""
    raise typer.Exit(run.exit_code)


def run_command(command: str, values: Mapping[str, Any], options: TaskOptions) -> None:
    """Run one task and exit with its code, or print what it would do.

    Args:
        command: the word after `wangp`, which is also the type of the task.
        values: the fields of the task that were given.
        options: of the command.
    """
    if options.only_shows:
        _show_request(command, values, options)
        return
    with open_run(command, options) as run:
        from wangp_cli.runtime.execute import execute

        session = run.session
        run.begin(planned=1)
        outcome = execute(lambda: _layers(command, values, options, session), session, values.get("task_id"))
        # A signal after the last step did not stop the task, so the run counts as completed.
        run.finish(outcome.exit_code, stopped=outcome.status == "cancelled")
    exit_with(run)


def _show_request(command: str, values: Mapping[str, Any], options: TaskOptions) -> None:
    """Print what a task would do, and run nothing."""
    from wangp_cli.runtime import bootstrap
    from wangp_cli.runtime.request.resolve import resolve

    session = bootstrap.start([], options)
    request = resolve(_layers(command, values, options, session), session)
    write_text(_dry_run_text(request, options, session))


def _dry_run_text(request: Request, options: TaskOptions, session: Session) -> str:
    """What a dry run prints: the estimate or the plan where one is requested, else the request."""
    if options.estimate:
        from wangp_cli.commands._estimate import estimate_text

        return estimate_text(request, session, json=options.json_lines)
    if options.plan and (plan := request.plan or _single_run_plan(request)):
        if options.json_lines:
            return plan.model_dump_json(indent=2)
        from wangp_cli.plan.text import describe

        return describe(plan)
    return json.dumps(request.document(), indent=2)


def _single_run_plan(request: Request) -> Plan | None:
    """The plan of a video that the model makes in one run; None for an image."""
    from wangp_cli.runtime.request.request import RenderRequest
    from wangp_cli.tasks.generate import Generate

    task = request.task
    if not isinstance(request, RenderRequest) or request.frames == 1 or not isinstance(task, Generate):
        return None
    from wangp_cli.plan.windows import plan_windows

    return plan_windows(
        request.frames,
        window=request.frames,
        overlap=task.window_overlap(request.spec) if task.video_source else 1,
        grid=request.spec.grid,
        fps=Fraction(task.fps),
        before=sum(request.facts.lengths(Fraction(task.fps)).get("video_source", ())),
    )


def _layers(command: str, values: Mapping[str, Any], options: TaskOptions, session: Session) -> list[Layer]:
    """The layers of values, weakest first: task type, default model, presets, settings file, flags."""
    from wangp_cli.value_layers import Layer

    layers = [Layer(kind="command", values={"type": command})]
    if not session.settings.model:
        # The default of a command line; lines of a batch must name a model.
        layers.append(Layer(kind="default", values={"model": "starter"}))
    layers += [
        Layer(kind="preset", name=name, values=session.presets.get(name).values) for name in options.preset
    ]
    if options.settings_file:
        from wangp_cli.runtime.intake.settings_file import load_settings_file

        layers.append(
            load_settings_file(
                options.settings_file,
                session.tasks,
                task=command,
                given=values.keys(),
                models=session.catalogue.names,
            )
        )
    return [*layers, Layer(kind="flag", values=values)]


def stdout_descriptor() -> int:
    """The descriptor of the real stdout."""
    return sys.stdout.fileno()
