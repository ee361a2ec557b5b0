"""`wangp control`: the client of a running command's control server."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from wangp_cli.commands import _complete
from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import write_facts, write_json
from wangp_cli.errors import RequestError
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.messages import write_line

Action = Literal["status", "pause", "resume", "cancel", "drain", "abort"]


def control(
    run: Annotated[
        str,
        typer.Argument(
            help="Id of a run, its beginning, the run's output folder, or last.",
            show_default=False,
            autocompletion=_complete.runs,
        ),
    ],
    action: Annotated[
        Action, typer.Argument(help="What to do: status, pause, resume, cancel, drain or abort.")
    ] = "status",
    task: Annotated[
        str | None, typer.Argument(help="The task to cancel.", show_default=False, metavar="ID")
    ] = None,
    mode: Annotated[
        Literal["now", "drain"] | None,
        typer.Option(help="Pause at the next step, or after the running task.", show_default="now"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Control a running command: status, pause, resume, cancel a task, drain, abort."""
    with report_errors():
        params = _params(action, task, mode)
        from wangp_cli.runtime.control import client

        record = client.find(run, bootstrap.control_folders())
        reply = client.call(record, action, **params)
        if json:
            write_json(reply)
        elif action == "status":
            write_facts(_facts(reply))
        else:
            write_line(reply["state"])


def _params(action: Action, task: str | None, mode: str | None) -> dict[str, str]:
    if (task is not None) != (action == "cancel"):
        problem = "cancel needs the id of a task" if task is None else f"{action} takes no id"
        raise RequestError("id", problem, hint="wangp control RUN cancel ID")
    if mode is not None and action != "pause":
        raise RequestError("--mode", f"{action} has no mode", hint="wangp control RUN pause --mode drain")
    return {name: value for name, value in (("id", task), ("mode", mode)) if value is not None}


def _facts(reply: dict[str, Any]) -> dict[str, object]:
    counts = {name: count for name, count in reply["counts"].items() if count}
    step = f"{reply['step']} of {reply['total']}" if reply["total"] else None
    eta = f"{reply['eta_s']:.0f} s" if reply["eta_s"] is not None else None
    return {
        "run": reply["run"],
        "state": reply["state"],
        "reason": reply["reason"],
        "tasks": ", ".join(f"{count} {name}" for name, count in counts.items()),
        "task": reply["task"],
        "stage": reply["stage"],
        "step": step,
        "stage ends in": eta,
        "cancelling": ", ".join(reply["cancelling"]),
        "running for": f"{reply['uptime_s']:.0f} s",
    }
