"""`wangp batch`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from wangp_cli.commands._bind import bind, parameter
from wangp_cli.commands._run import EXTRA, errors_shown, extra_option, leave, open_run
from wangp_cli.runtime.artifacts import HISTORY
from wangp_cli.runtime.session import Session
from wangp_cli.tasks.fields import Order
from wangp_cli.tasks.generate import Generate

PANEL = "Batch"
_option = partial(extra_option, panel=PANEL)
TASKS = parameter(
    "tasks",
    Annotated[
        str | None,
        typer.Argument(
            help="JSONL, a JSON list, a run history, WanGP settings or queue.zip; - reads standard input.",
            metavar="[TASKS]",
            show_default=False,
        ),
    ],
)
OPTIONS = [
    TASKS,
    _option(
        "each_image",
        Path,
        "One task for each picture of a folder, from the flags.",
        "--each-image",
        metavar="DIR",
    ),
    _option(
        "each_video",
        Path,
        "One task for each video of a folder, from the flags.",
        "--each-video",
        metavar="DIR",
    ),
    _option("resume", bool, "Finish what an earlier run of the folder left.", "--resume"),
    _option("order", Order, "As given, or all tasks of one model before the next.", "--order"),
    _option("fail_fast", bool, "Stop after the first failure.", "--fail-fast/--keep-going"),
    _option(
        "retries", int, "More attempts after too little memory or an I/O error.", "--retries", metavar="N"
    ),
    _option("task_timeout", float, "Give up a task after this time.", "--task-timeout", metavar="SECONDS"),
    _option("limit", int, "Run at most so many tasks.", "--limit", metavar="N"),
    _option("only", list[str], "Run only the task of this id; repeatable.", "--only", metavar="ID"),
    _option("shard", str, "Run part I of N, for job arrays.", "--shard", metavar="I/N"),
    _option(
        "allow_path",
        list[Path],
        "Folder whose files tasks may read; repeatable.",
        "--allow-path",
        metavar="DIR",
    ),
]


def run_batch(said: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Run a batch and leave with its exit code."""
    # Here, because the database library takes longer to import than `wangp --help` may.
    from wangp_cli.commands._batch import check_all, lines_of, plan_of
    from wangp_cli.runtime.admit import Door
    from wangp_cli.runtime.batch import Batch, batch_store

    dry = bool(extra.get("dry_run"))
    with errors_shown():
        with open_run("batch", {"json": True, **extra}, silent=dry) as run:
            plan = plan_of(said, extra, run.session)
            lines = lines_of(extra, said, plan)
            if dry:
                run.finish(check_all(lines, Door(plan.rules, run.session)))
            else:
                with batch_store(plan) as store:
                    run.begin()
                    history = run.session.manifest_path or plan.rules.folder / HISTORY
                    Batch(plan, replace(run.session, manifest_path=history), store).run(lines)
                run.finish(1 if _failures(run.session) else 0, stopped=run.session.control.ending)
        leave(run)


def _failures(session: Session) -> int:
    counts = session.stream.counts
    return counts["failed"] + counts["rejected"] + counts["cancelled"]


batch = bind(
    Generate,
    run_batch,
    extra=[*OPTIONS, *(each for each in EXTRA if each.name not in ("settings_file", "json"))],
    leave_out=("output", "task_id"),
)
batch.__name__, batch.__doc__ = "batch", "Run many tasks with models kept loaded; flags are defaults for all."
