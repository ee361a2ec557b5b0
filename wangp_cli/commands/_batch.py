"""Build the plan of `wangp batch` from its flags, and read its task lines."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from wangp_cli.commands._batch_options import BatchOptions
from wangp_cli.commands._table import write_json
from wangp_cli.errors import RequestError, WangpError
from wangp_cli.files.same_file import is_same_file
from wangp_cli.runtime.events import stdin
from wangp_cli.runtime.events.types import Fault, Log
from wangp_cli.runtime.history.log import HISTORY
from wangp_cli.runtime.intake import TaskLine, Watcher, each_image, each_video, read_lines
from wangp_cli.runtime.intake.folder_tasks import PLACEHOLDER
from wangp_cli.runtime.intake.url_fetch import UrlFetcher
from wangp_cli.runtime.intake.url_policy import UrlPolicy
from wangp_cli.runtime.jobs.admission import Admission
from wangp_cli.runtime.jobs.batch_folder import BATCH_SUBFOLDER, fetched_folder
from wangp_cli.runtime.jobs.line_feed import READ_AHEAD
from wangp_cli.runtime.jobs.rules import AdmissionRules, BatchPlan
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer

SOURCES = ("tasks", "each_image", "each_video", "watch")


def batch_plan(values: Mapping[str, Any], options: BatchOptions, session: Session) -> BatchPlan:
    """The plan of a batch: rules for its task lines, order, retries and limits.

    Args:
        values: flags of the tasks, which are defaults for all lines.
        options: flags of the batch.
        session: has the presets and the settings.
    """
    folder = Path(values.get("output_dir") or session.settings.output_dir).expanduser().absolute()
    shard = _shard(options.shard)
    _check_history_apart(options, session.manifest_path or folder / HISTORY)
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
            only=tuple(dict.fromkeys(options.only)),
            shard=shard,
            names_by_id=session.settings.name is None,
            untrusted=options.untrusted,
            fetcher=url_fetcher(options, fetched_folder(folder, shard), session),
        ),
        order=options.order,
        phase_group=options.phase_group,
        fail_fast=options.fail_fast,
        retries=options.retries,
        timeout=options.task_timeout,
        limit=options.limit,
        # A watched file may still hold tasks of an earlier run; they are skipped, not refused.
        resume=options.resume or options.watch is not None,
        bounded=options.is_stream or options.watch is not None,
    )


def _check_history_apart(options: BatchOptions, history: Path) -> None:
    """Refuse to read tasks from the file to which their manifests are appended."""
    for name, path in (("tasks", options.tasks and Path(options.tasks)), ("watch", options.watch)):
        if path and is_same_file(path, history):
            raise RequestError(
                name,
                f"{path} is the run history, which this run appends to",
                hint="use another --output-dir, or name another history by --manifest-path",
            )


def url_fetcher(options: BatchOptions, folder: Path, session: Session) -> UrlFetcher:
    """Fetch files from the allowed hosts into `folder`."""
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
    """The folders from which task lines may read files."""
    roots = [folder, session.loras_dir, *options.allow_path]
    roots += [path for path in (options.each_image, options.each_video) if path]
    if options.untrusted:
        return roots
    if options.tasks and not options.is_stream:
        roots.append(Path(options.tasks).absolute().parent)
    if options.watch:
        roots.append(options.watch if options.watch.is_dir() else options.watch.absolute().parent)
    return [*roots, Path.cwd()]


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not re.fullmatch("[0-9]{1,6}/[0-9]{1,6}", text) or not 1 <= int(index) <= int(count):
        raise RequestError("--shard", f"{text!r} is not I/N, such as 2/8")
    return int(index), int(count)


def read_batch_lines(
    options: BatchOptions, values: Mapping[str, Any], folder: Path, session: Session
) -> Iterator[TaskLine] | None:
    """The task lines of the one source that is given; None for `--resume` alone, as the job store has them.

    Args:
        options: flags of the batch.
        values: flags of the tasks.
        folder: folder of the results.
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
        stream = _stdin() if options.tasks == "-" else None
        return read_lines(
            options.tasks,
            stdin=stream,
            work=folder / BATCH_SUBFOLDER,
            given=frozenset(values),
            tasks=session.tasks,
            loras_here=not options.untrusted,
        )
    # Values without {file} stay flags: paths in a line are checked against the allowed folders.
    template = {name: value for name, value in values.items() if PLACEHOLDER in str(value)}
    if options.each_image:
        return each_image(options.each_image, template, _roots(options, folder, session))
    if options.each_video:
        return each_video(options.each_video, template, _roots(options, folder, session))
    # What is there now; a run reads it again and again.
    return watcher(options, values, session).poll()


def watcher(options: BatchOptions, values: Mapping[str, Any], session: Session) -> Watcher:
    """Watch the file or folder of `--watch`; arguments are those of `read_batch_lines`."""
    assert options.watch is not None
    return Watcher(
        options.watch,
        options.poll_interval,
        given=frozenset(values),
        tasks=session.tasks,
        loras_here=not options.untrusted,
    )


def _stdin() -> BinaryIO:
    if (stream := stdin.open_stdin()) is None:
        raise RequestError("tasks", "standard input is closed", hint="give a file of tasks")
    return stream


@dataclass
class Watch:
    """Yield the new tasks of a watched file or folder, and record in it how they ended.

    One thread polls while another reports results; a lock guards the watcher.
    """

    watcher: Watcher
    session: Session
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lines(self, wait: Callable[[float], bool]) -> Iterator[TaskLine]:
        """Poll for new lines until `wait(seconds)` returns true."""
        problem = None
        while True:
            new = self.watcher.poll()
            while lines := self._take(new):
                yield from lines
            if self.watcher.problem != problem:
                problem = self.watcher.problem
                if problem:
                    self.session.stream.emit(Log(level="warning", message=f"watch: {problem}"))
            if wait(self.watcher.interval):
                return

    def _take(self, new: Iterator[TaskLine]) -> list[TaskLine]:
        """Some of the new lines; a watched file may have many."""
        with self._lock:
            return list(islice(new, READ_AHEAD))

    def done(self, line: TaskLine) -> None:
        """Record that a task is completed."""
        with self._lock:
            self.watcher.done(line)

    def failed(self, line: TaskLine, error: WangpError) -> None:
        """Record that a task failed, with its error."""
        with self._lock:
            self.watcher.failed(line, error)


def print_dry_run(lines: Iterator[TaskLine], admission: Admission) -> int:
    """Print the resolved request or the error of every line; return 2 if any has an error, else 0."""
    code = 0
    for line in lines:
        for entry in admission.admit([line]):
            report: dict[str, Any] = {"line": entry.line.number, "task_id": entry.task_id}
            if entry.error is not None:
                code = 2
                report["error"] = Fault.of(entry.error).model_dump(mode="json")
            elif entry.request is not None:
                report |= entry.request.document()
            write_json(report, indent=None)
    return code
