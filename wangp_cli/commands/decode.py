"""`wangp decode`: finish a result whose latents were kept."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wangp_cli.commands._bind import bind
from wangp_cli.commands._run import EXTRA, exit_with, open_run, report_errors
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.task import Output
from wangp_cli.value_layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENT = inspect.Parameter(
    "latents",
    inspect.Parameter.KEYWORD_ONLY,
    annotation=Annotated[Path, typer.Argument(help="File of latents; it goes when done.", metavar="FILE")],
)
OWN = {*Output.model_fields, *Runtime.model_fields}
EXTRAS = [extra for extra in EXTRA if extra.name not in ("preset", "settings_file", "dry_run", "estimate")]


def _run(said: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    from wangp_cli.runtime.execute import execute
    from wangp_cli.runtime.latents import request_of
    from wangp_cli.runtime.outcome import Attempt

    with report_errors():
        file = Path(extra["latents"])
        kept = Layer(kind="latents", name=file.name, values=request_of(file))
        with open_run("decode", extra) as run:
            run.begin(planned=1)
            layers = [kept, Layer(kind="flag", values=said)]
            outcome = execute(
                lambda: layers, run.session, kept.values.get("task_id"), Attempt(latents=file.absolute())
            )
            run.finish(outcome.exit_code, stopped=outcome.status == "cancelled")
        exit_with(run)


decode = bind(
    Generate,
    _run,
    extra=[ARGUMENT, *EXTRAS],
    leave_out=set(Generate.model_fields) - OWN,
)
decode.__name__, decode.__doc__ = (
    "decode",
    "Finish a result whose latents were kept when its decoding failed.",
)
