"""Admission: validate the lines of a task file and turn them into jobs, before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import Cancelled, ConflictError, RequestError, WangpError
from wangp_cli.runtime.execute import result_or_error
from wangp_cli.runtime.intake.path_policy import confine_output
from wangp_cli.runtime.intake.task_line import digest_of
from wangp_cli.runtime.jobs.cleanup import files_of, is_intact, remove_leftovers, remove_results
from wangp_cli.runtime.jobs.confinement import Confinement, confinement_of
from wangp_cli.runtime.jobs.payload import pack
from wangp_cli.runtime.jobs.rules import AdmissionRules
from wangp_cli.runtime.jobs.stored_job import NewJob
from wangp_cli.runtime.request.request import Request
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.value_layers import Layer, merge

if TYPE_CHECKING:
    from wangp_cli.runtime.intake import TaskLine
    from wangp_cli.runtime.intake.url_fetch import UrlFetcher
    from wangp_cli.runtime.jobs.stored_job import StoredJob
    from wangp_cli.runtime.session import Session

NOT_IN_DIGEST = frozenset({"overwrite", "skip_existing", "device"})
"""Fields that do not change the result: how existing files are treated, and where it is computed."""


@dataclass(frozen=True, kw_only=True)
class LineResult:
    """The result of checking one line; without a job, a done job and an error it repeats an earlier line.

    Args:
        task_id: of its task, if it can be read.
        job: the job to run.
        request: the resolved request of that job.
        done: the job of an earlier run that is done and needs no second run.
        error: why it cannot run.
    """

    line: TaskLine
    task_id: str | None
    job: NewJob | None = None
    request: Request | None = None
    done: StoredJob | None = None
    error: WangpError | None = None


@dataclass
class Admission:
    """Validates task lines and turns them into jobs; remembers earlier lines, to find repeated ids and files.

    Args:
        rules: what lines may do.
        session: where they will run.
        known: finds the jobs of an earlier run by task id.
        seen: ids of `rules.only` that were found.
    """

    rules: AdmissionRules
    session: Session
    known: Callable[[Sequence[str]], Mapping[str, StoredJob]] | None = None
    seen: set[str] = field(default_factory=set)
    _ordinals: Counter[str] = field(default_factory=Counter)
    _digests: dict[int, int] = field(default_factory=dict)
    _files: set[int] = field(default_factory=set)
    _checked_folders: set[Path] = field(default_factory=set)
    _confinement: Confinement = field(init=False)

    def __post_init__(self) -> None:
        """Tell what lines may read and write."""
        self._confinement = confinement_of(self.rules, self.session.tasks)

    def admit(self, lines: Iterable[TaskLine]) -> list[LineResult]:
        """Check lines; those that the shard or `only` leaves out have no result."""
        # Every shard must give equal lines the same ids, so ids are given before lines are left out.
        named = [(line, self._task_id(line)) for line in lines]
        chosen = [(line, task_id) for line, task_id in named if self._is_chosen(line, task_id)]
        known = self.known([task_id for _, task_id in chosen if task_id]) if self.known else {}
        results = (self._check(line, task_id, known.get(task_id or "")) for line, task_id in chosen)
        # A line whose file was being fetched when the run was stopped is read again by the next run.
        return [result for result in results if not isinstance(result.error, Cancelled)]

    def _task_id(self, line: TaskLine) -> str | None:
        """The id of the line, or one made of its digest and its number among equal lines."""
        if line.task_id or not line.digest or line.values is None:
            return line.task_id
        short = line.digest[:12]
        self._ordinals[short] += 1
        return f"{short}-{self._ordinals[short]}"

    def _is_chosen(self, line: TaskLine, task_id: str | None) -> bool:
        which, of = self.rules.shard
        # An error of the file as a whole, which has no line number, is reported by every shard.
        if line.number and (line.number - 1) % of != which - 1:
            return False
        if self.rules.only and task_id in self.rules.only:
            self.seen.add(task_id or "")
        return not self.rules.only or task_id in self.rules.only

    def _check(self, line: TaskLine, task_id: str | None, known: StoredJob | None) -> LineResult:
        if line.error is not None or line.values is None or task_id is None:
            return LineResult(line=line, task_id=task_id, error=line.error)
        values = line.values
        result = result_or_error(lambda: self._to_job(line, task_id, values, known))
        if isinstance(result, LineResult):
            return result
        error = line.relabel(result) if isinstance(result, RequestError) else result
        return LineResult(line=line, task_id=task_id, error=error)

    def _to_job(
        self, line: TaskLine, task_id: str, line_values: Mapping[str, Any], known: StoredJob | None
    ) -> LineResult:
        fetcher = self.rules.fetcher
        self._confinement.check_layers([line.layer(line_values)])
        own = line.layer(confine_output(line_values, self.rules.folder))
        layers = self._layers(own, task_id)
        values = merge(layers).values
        # Of the values as they are given, before a seed is drawn.
        digest = digest_of({name: value for name, value in values.items() if name not in NOT_IN_DIGEST})
        if self._repeats(task_id, digest):
            if known is not None and known.state in ("dead", "cancelled"):
                raise ConflictError(f"task_id: {task_id!r} has ended in this run", hint="use another id")
            return LineResult(line=line, task_id=task_id)
        if known is not None and self._reuses(known, digest, overwrite=bool(values.get("overwrite"))):
            return LineResult(line=line, task_id=task_id, done=known)
        if fetcher:
            layers = [_with_local_files(layer, fetcher) if layer is own else layer for layer in layers]
        request = resolve(layers, self.session)
        files = files_of(request)
        self._confinement.check_inputs(request)
        self._check_files(request.outputs, files)
        # Only hashes are kept of a line, because a file may have many.
        self._digests[hash(task_id)] = hash(digest)
        self._files.update(map(hash, files))
        job = NewJob(
            task_id=task_id,
            digest=digest,
            affinity=affinity_of(request),
            payload={"layers": pack(layers), "line": line.number or None},
        )
        return LineResult(line=line, task_id=task_id, job=job, request=request)

    def _layers(self, own: Layer, task_id: str) -> list[Layer]:
        """The layers of a job, of which `own` is that of its line."""
        layers = [*self.rules.defaults, own, Layer(kind="run", values={"task_id": task_id})]
        if self.rules.names_by_id:
            values = merge(layers).values
            task = self.session.tasks.get(str(values.get("type", "generate")))
            name = "{task_id}" if task is None or task.asks_for_one(values) else "{task_id}-{index}"
            layers.insert(0, Layer(kind="default", values={"name": name}))
        return layers

    def _reuses(self, known: StoredJob, digest: str, *, overwrite: bool) -> bool:
        """Whether a job of an earlier run is done and its files are intact; removes what else it left.

        Raises:
            ConflictError: it is done, for another request.
        """
        if known.state == "done":
            if known.digest == digest and is_intact(known.result):
                return True
            if known.digest == digest:
                remove_results(known, self.rules.folder)
            elif not overwrite:
                raise ConflictError(
                    f"task_id: {known.task_id!r} is taken by another request, which is done",
                    hint="use another id",
                )
        elif known.token:
            remove_leftovers(known, self.rules.folder)
        return False

    def _repeats(self, task_id: str, digest: str) -> bool:
        """Whether an earlier line has the same id and values.

        Raises:
            ConflictError: an earlier line has the same id and other values.
        """
        earlier = self._digests.get(hash(task_id))
        if earlier not in (None, hash(digest)):
            raise ConflictError(f"task_id: {task_id!r} is taken by an earlier line", hint="use another id")
        return earlier is not None

    def _check_files(self, outputs: Sequence[Path], files: Sequence[str]) -> None:
        unchecked = [path for path in outputs if path.parent not in self._checked_folders]
        self._confinement.check_outputs(unchecked)
        self._checked_folders.update(path.parent for path in unchecked)
        if taken := next((name for name in files if hash(name) in self._files), None):
            raise ConflictError(f"output: {taken} is written by an earlier line", hint="give it another name")


def _with_local_files(layer: Layer, fetcher: UrlFetcher) -> Layer:
    """The layer of a line with local files in place of URLs."""
    values, addresses = fetcher.fetch_urls(layer.values)
    sums = {path: layer.checksums[name] for path, name in addresses.items() if name in layer.checksums}
    return replace(layer, values=values, checksums={**layer.checksums, **sums}, addresses=addresses)


def affinity_of(request: Request) -> str:
    """A text that is equal for requests that the same loaded pipelines can run."""
    runtime = request.task.model_dump(mode="json", include={"accelerator", "loras", *Runtime.model_fields})
    return " ".join([*(spec.name for spec in request.models.values()), digest_of(runtime)[:8]])
