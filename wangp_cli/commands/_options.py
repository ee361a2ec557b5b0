"""Options of the commands that run tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from wangp_cli.runtime.run_options import RunOptions
from wangp_cli.tasks.fields import Flag, Spec


class StartOptions(Spec):
    """Presets that a task starts from, and the dry run."""

    panel: ClassVar[str] = "Command"
    preset: Annotated[
        tuple[str, ...],
        Flag("Preset to start from; repeatable, later ones win.", metavar="NAME", complete="presets"),
    ] = ()
    dry_run: Annotated[bool, Flag("Print the resolved request as JSON and stop.", negative="")] = False


class ShowOptions(StartOptions):
    """Values that a single task starts from, and what is printed instead of running it."""

    settings_file: Annotated[Path | None, Flag("Settings to start from: JSON, or an earlier result.")] = None
    estimate: Annotated[
        bool,
        Flag(
            "Print the memory, disk and time that the task needs; loads no weights. JSON with --json.",
            negative="",
        ),
    ] = False
    plan: Annotated[
        bool,
        Flag(
            "Print how many frames each part has and stop; needs no weights. JSON with --json.", negative=""
        ),
    ] = False


class TaskOptions(RunOptions, ShowOptions):
    """Options of a command that runs one task."""

    def files_used(self) -> list[Path]:
        """Also the settings file."""
        return [*super().files_used(), *([self.settings_file] if self.settings_file else [])]

    @property
    def only_shows(self) -> bool:
        """Whether the task is printed and not run."""
        return self.dry_run or self.estimate or self.plan
