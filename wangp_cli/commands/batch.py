"""`wangp batch`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wangp_cli.commands._bind import bind, parameter
from wangp_cli.commands._run import EXTRA, exit_with, extra_option, open_run, report_errors
from wangp_cli.errors import NoSpaceError
from wangp_cli.runtime.history.log import HISTORY
from wangp_cli.tasks.fields import Order
from wangp_cli.tasks.generate import Generate

if TYPE_CHECKING:
    from wangp_cli.commands._batch import BatchOptions
    from wangp_cli.runtime.jobs.batch import BatchPlan
    from wangp_cli.runtime.run import Run

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
    _option(
        "watch",
        Path,
        "Wait for new tasks in a file or a folder of files, and run them.",
        "--watch",
        metavar="PATH",
    ),
    _option(
        "poll_interval", float, "Time between two looks for new tasks.", "--poll-interval", metavar="SECONDS"
    ),
    _option("resume", bool, "Finish what an earlier run of the folder left.", "--resume"),
    _option(
        "order",
        Order,
        "As given; all tasks of one model before the next; or each stage of them before the next.",
        "--order",
    ),
    _option(
        "phase_group",
        int,
        "At most so many tasks go through their stages together. Default: 64.",
        "--phase-group",
        metavar="N",
    ),
    _option("fail_fast", bool, "Stop after the first failure.", "--fail-fast/--keep-going"),
    _option(
        "retries", int, "More attempts after too little memory or a disk error.", "--retries", metavar="N"
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
    _option(
        "allow_url",
        list[str],
        "Host whose files tasks may name by their address; repeatable.",
        "--allow-url",
        metavar="HOST[:PORT]",
    ),
    _option("untrusted", bool, "Tasks may read only what --allow-path and --allow-url name.", "--untrusted"),
]


def run_batch(said: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Run a batch and leave with its exit code."""
    # Here, because the database library takes longer to import than `wangp --help` may.
    from wangp_cli.commands._batch import BatchOptions, batch_plan, dry_run, read_batch_lines, url_fetcher
    from wangp_cli.runtime.jobs.admission import Admission

    dry = bool(extra.get("dry_run"))
    with report_errors():
        options = BatchOptions.of(extra)
        with open_run("batch", {"json": True, **extra}, silent=dry, used=options.files()) as run:
            plan = batch_plan(said, options, run.session)
            if dry:
                with TemporaryDirectory(prefix="wangp-") as folder:
                    lines = read_batch_lines(options, said, Path(folder))
                    rules = replace(
                        plan.rules,
                        roots=[*plan.rules.roots, Path(folder)],
                        fetcher=url_fetcher(options, Path(folder), run.session),
                    )
                    run.exit_code = dry_run(lines or iter(()), Admission(rules, run.session))
            else:
                _run(run, plan, options, said)
        exit_with(run)


def _run(run: Run, plan: BatchPlan, options: BatchOptions, said: Mapping[str, Any]) -> None:
    from wangp_cli.commands._batch import Watch, read_batch_lines
    from wangp_cli.runtime.events.events_file import check_apart
    from wangp_cli.runtime.intake import Watcher
    from wangp_cli.runtime.jobs.batch import Batch
    from wangp_cli.runtime.jobs.batch_folder import OURS, batch_store, remove_fetched

    folder, control = plan.rules.folder, run.session.control
    history = run.session.manifest_path or folder / HISTORY
    session = replace(run.session, manifest_path=history)
    if session.events_file:
        check_apart(session.events_file, [folder / OURS, history])
    watch = None
    if options.watch:
        given = frozenset(said)
        watch = Watch(Watcher(options.watch, options.poll_interval, given=given), session)
    lines = read_batch_lines(options, said, folder)
    with batch_store(folder, plan.rules.shard, resume=plan.resume) as store:
        run.begin(folders=(folder,))
        if watch:
            lines = watch.lines(control.wait_end)
        batch = Batch(plan, session, store, watch)
        stopped = batch.run(lines)
        if store.all_done():
            remove_fetched(folder, plan.rules.shard)
        counts = session.stream.counts
        failed = counts["failed"] + counts["rejected"] + counts["cancelled"]
        run.finish(NoSpaceError.exit_code if batch.out_of_room else int(failed > 0), stopped=stopped)


batch = bind(
    Generate,
    run_batch,
    extra=[*OPTIONS, *(each for each in EXTRA if each.name not in ("settings_file", "estimate"))],
    leave_out=("output", "task_id"),
)
batch.__name__, batch.__doc__ = "batch", "Run many tasks with models kept loaded; flags are defaults for all."
