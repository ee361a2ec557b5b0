"""`wangp schema`: JSON Schemas of task lines, events and manifests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import write_json


def schema(
    what: Annotated[
        Literal["events", "task", "manifest"],
        typer.Argument(
            help="events: a line of the stream; task: a line of a batch; manifest: of the history."
        ),
    ],
) -> None:
    """Print a JSON Schema."""
    from wangp_cli.runtime.events import schemas

    with report_errors():
        make: dict[str, Callable[[], dict[str, Any]]] = {
            "events": schemas.events_schema,
            "task": schemas.task_schema,
            "manifest": schemas.manifest_schema,
        }
        write_json(make[what]())
