"""Options of `wangp batch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from wangp_cli.commands._options import StartOptions
from wangp_cli.runtime.events import stdin
from wangp_cli.runtime.run_options import RunOptions
from wangp_cli.tasks.fields import Flag, Order

AtLeastOne = Annotated[int, Field(ge=1, le=10**9)]
Seconds = Annotated[float, Field(ge=0.001, le=1e8, allow_inf_nan=False)]


class BatchOptions(RunOptions, StartOptions):
    """Where the tasks of a batch come from, which of them run, and in which order."""

    panel: ClassVar[str] = "Batch"
    tasks: Annotated[
        str | None,
        Flag(
            "JSONL, a JSON list, a run history, WanGP settings or queue.zip; - reads standard input.",
            metavar="TASKS",
            positional=True,
        ),
    ] = None
    each_image: Annotated[
        Path | None, Flag("One task for each image of a folder, from the flags.", metavar="DIR")
    ] = None
    each_video: Annotated[
        Path | None, Flag("One task for each video of a folder, from the flags.", metavar="DIR")
    ] = None
    watch: Annotated[
        Path | None, Flag("Wait for new tasks in a file or a folder of files, and run them.", metavar="PATH")
    ] = None
    poll_interval: Annotated[Seconds, Flag("Time between two polls for new tasks.", metavar="SECONDS")] = 10.0
    resume: Annotated[bool, Flag("Finish what an earlier run of the folder left.", negative="")] = False
    order: Annotated[
        Order,
        Flag("given: as read. model: all tasks of a model before the next. phase: also each stage of them."),
    ] = "given"
    phase_group: Annotated[
        AtLeastOne, Flag("Tasks that go through each stage together with --order phase.", metavar="N")
    ] = 64
    fail_fast: Annotated[bool, Flag("Stop after the first failure.", negative="keep_going")] = False
    retries: Annotated[
        int, Field(ge=0, le=1000), Flag("Further attempts after memory ran out or a disk error.", metavar="N")
    ] = 0
    task_timeout: Annotated[Seconds | None, Flag("Give up a task after this time.", metavar="SECONDS")] = None
    limit: Annotated[AtLeastOne | None, Flag("Run at most so many tasks.", metavar="N")] = None
    only: Annotated[
        tuple[str, ...], Flag("Run only the task of this id; repeatable, in order.", metavar="ID")
    ] = ()
    shard: Annotated[str, Flag("Run part I of N, for job arrays.", metavar="I/N")] = "1/1"
    allow_path: Annotated[
        tuple[Path, ...], Flag("Folder whose files tasks may read; repeatable.", metavar="DIR")
    ] = ()
    allow_url: Annotated[
        tuple[str, ...],
        Flag("Host from which tasks may name files by URL; repeatable.", metavar="HOST[:PORT]"),
    ] = ()
    untrusted: Annotated[
        bool, Flag("Tasks may read only what --allow-path and --allow-url name.", negative="")
    ] = False

    @field_validator("tasks")
    @classmethod
    def _name_stdin(cls, tasks: str | None) -> str | None:
        return "-" if tasks and stdin.is_stdin(tasks) else tasks

    @property
    def is_stream(self) -> bool:
        """Whether the tasks come from a source that can be read only once."""
        from wangp_cli.runtime.intake.readers import is_stream

        return self.tasks is not None and (self.tasks == "-" or is_stream(Path(self.tasks)))

    def files_used(self) -> list[Path]:
        """Also the task files, and the folders whose images, videos or prompts become tasks."""
        # Here, because these modules take longer to import than `batch --help` may.
        from wangp_cli.runtime.intake.folder_tasks import READ
        from wangp_cli.runtime.intake.watch_list import failed_path

        files = [*super().files_used(), *([Path(self.tasks)] if self.tasks and self.tasks != "-" else [])]
        if self.watch:
            files += [self.watch, failed_path(self.watch)]
        if self.events_file and self.events_file.suffix.lower() in READ:
            files += [folder for folder in (self.each_image, self.each_video) if folder]
        return files
