"""Options of a command's run that are not fields of its task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wangp_cli.tasks.fields import Flag, Spec

SECONDS_BETWEEN = 0.5
"""Least time between two progress events of a stage, where no other is given."""


class RunOptions(Spec):
    """How a run reports its events, where its files are, and how it is controlled."""

    panel: ClassVar[str] = "Command"
    json_lines: Annotated[bool, Flag("Write events as JSON lines to stdout.", name="json", negative="")] = (
        False
    )
    quiet: Annotated[bool, Flag("Print only paths and errors.", "-q", negative="")] = False
    verbose: Annotated[bool, Flag("Also print the messages of the log on stderr.", "-v", negative="")] = False
    manifest_path: Annotated[
        Path | None,
        Flag("File of the run history.", default="manifests/run_history.jsonl in the output folder"),
    ] = None
    models_dir: Annotated[Path | None, Flag("Folder of the models' weights.", metavar="FOLDER")] = None
    log_level: Annotated[
        str | None,
        Flag(
            "Least level of the log: DEBUG, INFO, WARNING or ERROR.",
            metavar="LEVEL",
            choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        ),
    ] = None
    events_file: Annotated[Path | None, Flag("Append the events to a file, too.")] = None
    event_format: Annotated[Literal["plain", "cloudevents"], Flag("Format of the event lines.")] = "plain"
    progress_interval: Annotated[
        float,
        Field(ge=0, le=3600, allow_inf_nan=False),
        Flag("Least time between progress events.", metavar="SECONDS"),
    ] = SECONDS_BETWEEN
    on_broken_pipe: Annotated[
        Literal["stop", "continue", "abort"],
        Flag("When stdout is closed: stop after the running task, continue, or abort at once."),
    ] = "stop"
    control: Annotated[bool, Flag("Let `wangp control` steer this run.", default="on")] = True
    control_port: Annotated[
        int | None,
        Field(ge=0, le=65535),
        Flag("Listen on this port of 127.0.0.1, too; 0 takes any.", metavar="PORT"),
    ] = None

    def files_used(self) -> list[Path]:
        """Files that the run reads or replaces, which the events file must not be."""
        return [self.manifest_path] if self.manifest_path else []
