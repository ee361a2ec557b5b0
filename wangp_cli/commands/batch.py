"""`wangp batch`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

from wangp_cli.commands._batch_options import BatchOptions
from wangp_cli.commands._bind import bind
from wangp_cli.commands._run import exit_with, open_run, stdout_descriptor
from wangp_cli.errors import NoSpaceError
from wangp_cli.runtime.history.log import HISTORY
from wangp_cli.tasks.generate import Generate

if TYPE_CHECKING:
    from wangp_cli.runtime.run import Run


def run_batch(values: Mapping[str, Any], options: BatchOptions) -> None:
    """Run a batch, or check its tasks, and exit with its code."""
    if options.dry_run:
        raise typer.Exit(_dry_run(values, options))
    lines_asked = options.json_lines or not os.isatty(stdout_descriptor())
    with open_run("batch", options.replace(json_lines=lines_asked)) as run:
        _run(run, values, options)
    exit_with(run)


def _dry_run(values: Mapping[str, Any], options: BatchOptions) -> int:
    """Print what every task would do; the exit code."""
    # Here and below, because the database library takes longer to import than `wangp batch --help` may.
    from wangp_cli.commands._batch import batch_plan, print_dry_run, read_batch_lines, url_fetcher
    from wangp_cli.runtime import bootstrap
    from wangp_cli.runtime.jobs.admission import Admission

    session = bootstrap.start([], options)
    plan = batch_plan(values, options, session)
    with TemporaryDirectory(prefix="wangp-") as name:
        folder = Path(name)
        fetcher = url_fetcher(options, folder, session)
        rules = replace(plan.rules, roots=[*plan.rules.roots, folder], fetcher=fetcher)
        lines = read_batch_lines(options, values, folder, session)
        return print_dry_run(lines or iter(()), Admission(rules, session))


def _run(run: Run, values: Mapping[str, Any], options: BatchOptions) -> None:
    from wangp_cli.commands._batch import Watch, batch_plan, read_batch_lines, watcher
    from wangp_cli.commands._batch_summary import show_summary
    from wangp_cli.runtime.events.events_file import check_apart
    from wangp_cli.runtime.jobs.batch import Batch
    from wangp_cli.runtime.jobs.batch_folder import BATCH_SUBFOLDER, batch_store, remove_fetched

    plan = batch_plan(values, options, run.session)
    folder, control = plan.rules.folder, run.session.control
    history = run.session.manifest_path or folder / HISTORY
    session = replace(run.session, manifest_path=history)
    if session.events_file:
        check_apart(session.events_file, [folder / BATCH_SUBFOLDER, history])
    watch = None
    if options.watch:
        watch = Watch(watcher(options, values, session), session)
    lines = read_batch_lines(options, values, folder, session)
    with batch_store(folder, plan.rules.shard, resume=plan.resume) as store:
        run.begin(folders=(folder,))
        if watch:
            lines = watch.lines(control.wait_end)
        batch = Batch(plan, session, store, watch)
        stopped = batch.run(lines)
        complete = store.all_done()
        if complete:
            remove_fetched(folder, plan.rules.shard)
        counts = session.stream.counts
        failed = counts["failed"] + counts["rejected"] + counts["cancelled"]
        run.finish(NoSpaceError.exit_code if batch.out_of_room else int(failed > 0), stopped=stopped)
        # A limit may have left lines unread.
        complete = complete and not counts["rejected"] and options.limit is None
        show_summary(folder, history, options, complete=complete)


batch = bind(Generate, run_batch, BatchOptions, leave_out=("output", "task_id"))
batch.__name__, batch.__doc__ = "batch", "Run many tasks with models kept loaded; flags are defaults for all."
