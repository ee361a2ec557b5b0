"""From the flags of `wangp batch` to a plan and its lines."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from wangp_cli.commands._batch_options import BatchOptions
from wangp_cli.errors import RequestError, WangpError
from wangp_cli.runtime.events import stdin
from wangp_cli.runtime.events.types import Fault, Log
from wangp_cli.runtime.intake import TaskLine, Watcher, each_image, each_video, read_lines
from wangp_cli.runtime.intake.folder_tasks import PLACEHOLDER
from wangp_cli.runtime.intake.url_fetch import UrlFetcher
from wangp_cli.runtime.intake.url_policy import UrlPolicy
from wangp_cli.runtime.jobs.admission import Admission, AdmissionRules
from wangp_cli.runtime.jobs.batch import BatchPlan
from wangp_cli.runtime.jobs.batch_folder import BATCH_SUBFOLDER, fetched_folder
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer

SOURCES = ("tasks", "each_image", "each_video", "watch")


def batch_plan(values: Mapping[str, Any], options: BatchOptions, session: Session) -> BatchPlan:
    """How the batch runs, from the tasks' flags and the batch's own."""
    folder = Path(values.get("output_dir") or session.settings.output_dir).expanduser().absolute()
    shard = _shard(options.shard)
    defaults = [Layer(kind="command", values={"type": "generate"})]
    defaults += [
        Layer(kind="preset", name=name, values=session.presets.get(name).values) for name in options.preset
    ]
    flags = {name: value for name, value in values.items() if name != "output_dir"}
    return BatchPlan(
        rules=AdmissionRules(
            folder=folder,
            defaults=[*defaults, Layer(kind="flag", values=flags | {"output_dir": folder})],
            roots=_roots(options, folder, session),
            only=frozenset(options.only),
            shard=shard,
            names_by_id=session.settings.name is None,
            fetcher=url_fetcher(options, fetched_folder(folder, shard), session),
        ),
        order=options.order,
        phase_group=options.phase_group,
        fail_fast=options.fail_fast,
        retries=options.retries,
        timeout=options.task_timeout,
        limit=options.limit,
        # Who waits for tasks meets those of yesterday again, in a list or a file that is still there.
        resume=options.resume or options.watch is not None,
    )


def url_fetcher(options: BatchOptions, folder: Path, session: Session) -> UrlFetcher:
    """Fetches files of the hosts that are allowed, into `folder`."""
    hosts = options.allow_url if options.untrusted else (*session.settings.allow_url, *options.allow_url)
    return UrlFetcher(
        allowed=UrlPolicy(hosts),
        folder=folder,
        loras=session.loras_dir,
        emit=session.stream.emit,
        stop=lambda: session.control.ending,
        tasks=session.tasks,
    )


def _roots(options: BatchOptions, folder: Path, session: Session) -> list[Path]:
    """The folders whose files lines may name."""
    roots = [folder, session.loras_dir, *options.allow_path]
    roots += [path for path in (options.each_image, options.each_video) if path]
    if options.untrusted:
        return roots
    if options.tasks and options.tasks != "-":
        roots.append(Path(options.tasks).absolute().parent)
    if options.watch:
        roots.append(options.watch if options.watch.is_dir() else options.watch.absolute().parent)
    return [*roots, Path.cwd()]


def _shard(text: str) -> tuple[int, int]:
    which, _, of = text.partition("/")
    if not (which.isdecimal() and of.isdecimal() and 1 <= int(which) <= int(of)):
        raise RequestError("--shard", f"{text!r} is not I/N, such as 2/8")
    return int(which), int(of)


def read_batch_lines(
    options: BatchOptions, values: Mapping[str, Any], folder: Path, session: Session
) -> Iterator[TaskLine] | None:
    """The lines of whatever was given; None where the folder of an earlier run says what is left.

    Args:
        options: what was given.
        values: the tasks' flags.
        folder: of the results.
        session: has the task types that lines may name.
    """
    given = [name for name in SOURCES if getattr(options, name) is not None]
    if not given and options.resume:
        return None
    if len(given) != 1:
        names = [name if name == "tasks" else "--" + name.replace("_", "-") for name in given]
        raise RequestError(
            "tasks",
            f"{' and '.join(names)} exclude each other" if names else "nothing is given",
            hint="give a file of tasks, - for standard input, --each-image, --each-video or --watch",
        )
    if options.tasks is not None:
        given_in = _stdin() if options.tasks == "-" else None
        return read_lines(
            options.tasks,
            stdin=given_in,
            work=folder / BATCH_SUBFOLDER,
            given=frozenset(values),
            tasks=session.tasks,
        )
    # What names no file is a flag like any other; a line would have to be allowed to say it.
    template = {name: value for name, value in values.items() if PLACEHOLDER in str(value)}
    if options.each_image:
        return each_image(options.each_image, template)
    return each_video(options.each_video, template) if options.each_video else iter(())


def _stdin() -> BinaryIO:
    if (found := stdin.open_stdin()) is None:
        raise RequestError("tasks", "standard input is closed", hint="give a file of tasks")
    return found


@dataclass
class Watch:
    """New tasks, for as long as the run goes on; a list is told how they ended.

    The list is read by one thread and worked off by another.
    """

    watcher: Watcher
    session: Session
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lines(self, wait: Callable[[float], bool]) -> Iterator[TaskLine]:
        """New lines, until `wait(seconds)` is true."""
        problem = None
        while True:
            with self._lock:
                found = list(self.watcher.poll())
            yield from found
            if self.watcher.problem != problem:
                problem = self.watcher.problem
                if problem:
                    self.session.stream.emit(Log(level="warning", message=f"watch: {problem}"))
            if wait(self.watcher.interval):
                return

    def done(self, line: TaskLine) -> None:
        """A task is done."""
        with self._lock:
            self.watcher.done(line)

    def failed(self, line: TaskLine, error: WangpError) -> None:
        """A task failed."""
        with self._lock:
            self.watcher.failed(line, error)


def print_dry_run(lines: Iterator[TaskLine], admission: Admission) -> int:
    """Print what every line would do, or why it cannot; 2 if any cannot."""
    code = 0
    for line in lines:
        for one in admission.admit([line]):
            report: dict[str, Any] = {"line": one.line.number, "task_id": one.task_id}
            if one.error is not None:
                code = 2
                report["error"] = Fault.of(one.error).model_dump(mode="json")
            elif one.request is not None:
                report |= one.request.document()
            sys.stdout.write(json.dumps(report) + "\n")
    return code
