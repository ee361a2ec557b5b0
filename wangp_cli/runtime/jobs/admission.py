"""From lines to jobs: named, confined to the output folder, checked before anything runs."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import Cancelled, ConflictError, RequestError, WangpError
from wangp_cli.runtime.execute import result_or_error
from wangp_cli.runtime.intake.path_policy import check_paths, confine_output
from wangp_cli.runtime.jobs.cleanup import files_of, is_intact, remove_leftovers, remove_results
from wangp_cli.runtime.jobs.store import NewJob
from wangp_cli.runtime.request.request import Request
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.value_layers import Layer, merge

if TYPE_CHECKING:
    from wangp_cli.runtime.intake import TaskLine
    from wangp_cli.runtime.intake.url_fetch import UrlFetcher
    from wangp_cli.runtime.jobs.store import StoredJob
    from wangp_cli.runtime.session import Session

HOW = frozenset({"overwrite", "skip_existing", "device"})
"""Fields that say how to treat what is there and where to compute, not what to make."""


@dataclass(frozen=True, kw_only=True)
class AdmissionRules:
    """What lines may do and which of them run.

    Args:
        folder: every result lies in it.
        defaults: layers under every line: presets, then flags.
        roots: folders whose files lines may name.
        only: ids to run; empty for all.
        shard: which of how many, counted from 1.
        names_by_id: files get the names of their tasks unless something else is said.
        fetcher: has the files of addresses that lines may name.
    """

    folder: Path
    defaults: Sequence[Layer]
    roots: Sequence[Path]
    only: frozenset[str] = frozenset()
    shard: tuple[int, int] = (1, 1)
    names_by_id: bool = True
    fetcher: UrlFetcher | None = None

    @property
    def fetches(self) -> bool:
        """Whether lines may name files by address."""
        return self.fetcher is not None and bool(self.fetcher.allowed)


@dataclass(frozen=True, kw_only=True)
class LineResult:
    """What became of a line.

    Args:
        task_id: the id of its task, if it has one.
        job: to run.
        request: the same, settled.
        done: the job that an earlier run finished.
        error: why it cannot run.

    With none of them it says the same as an earlier line of that id.
    """

    line: TaskLine
    task_id: str | None
    job: NewJob | None = None
    request: Request | None = None
    done: StoredJob | None = None
    error: WangpError | None = None


@dataclass
class Admission:
    """Admits lines one by one; remembers what it has seen, to name lines that have no id.

    Args:
        rules: what lines may do.
        session: where they are to run.
        known: the jobs of these ids that an earlier run left.
    """

    rules: AdmissionRules
    session: Session
    known: Callable[[Sequence[str]], Mapping[str, StoredJob]] | None = None
    met: set[str] = field(default_factory=set)
    _ordinals: Counter[str] = field(default_factory=Counter)
    _digests: dict[int, int] = field(default_factory=dict)
    _files: set[int] = field(default_factory=set)
    _inside: set[Path] = field(default_factory=set)

    def admit(self, lines: Iterable[TaskLine]) -> list[LineResult]:
        """Check lines; those that are not chosen by shard or id are left out."""
        # Every shard must give equal lines the same names, so all are named and then some are left out.
        named = [(line, self._name(line)) for line in lines]
        chosen = [(line, task_id) for line, task_id in named if self._is_chosen(line, task_id)]
        known = self.known([task_id for _, task_id in chosen if task_id]) if self.known else {}
        admitted = (self._admit(line, task_id, known.get(task_id or "")) for line, task_id in chosen)
        # Who was told to stop while a file was fetched says nothing of its line, which is met again.
        return [one for one in admitted if not isinstance(one.error, Cancelled)]

    def _name(self, line: TaskLine) -> str | None:
        """Its own name, or the hash of what it says and which of its equals it is."""
        if line.task_id or not line.digest or line.values is None:
            return line.task_id
        short = line.digest[:12]
        self._ordinals[short] += 1
        return f"{short}-{self._ordinals[short]}"

    def _is_chosen(self, line: TaskLine, task_id: str | None) -> bool:
        which, of = self.rules.shard
        # What is wrong with the file as a whole is everybody's.
        if line.number and (line.number - 1) % of != which - 1:
            return False
        if self.rules.only and task_id in self.rules.only:
            self.met.add(task_id or "")
        return not self.rules.only or task_id in self.rules.only

    def _admit(self, line: TaskLine, task_id: str | None, known: StoredJob | None) -> LineResult:
        if line.error is not None or line.values is None or task_id is None:
            return LineResult(line=line, task_id=task_id, error=line.error)
        values = line.values
        admitted = result_or_error(lambda: self._job(line, task_id, values, known))
        if isinstance(admitted, RequestError):
            return LineResult(line=line, task_id=task_id, error=line.wrong(admitted))
        return (
            LineResult(line=line, task_id=task_id, error=admitted)
            if isinstance(admitted, WangpError)
            else admitted
        )

    def _job(
        self, line: TaskLine, task_id: str, values: Mapping[str, Any], known: StoredJob | None
    ) -> LineResult:
        fetcher = self.rules.fetcher
        check_paths(values, self.rules.roots, fetcher.allowed if fetcher else None)
        confined = confine_output(values, self.rules.folder)
        own = line.layer(confined)
        layers = [*self.rules.defaults, own, Layer(kind="run", values={"task_id": task_id})]
        said = merge(layers).values
        if self.rules.names_by_id:
            layers.insert(0, Layer(kind="default", values={"name": _name_by_id(said)}))
        # Everything that is said, before a seed is drawn.
        digest = _sha256({name: value for name, value in said.items() if name not in HOW})
        if self._repeats(task_id, digest):
            if known is not None and known.state in ("dead", "cancelled"):
                raise ConflictError(f"task_id: {task_id!r} has ended in this run", hint="use another id")
            return LineResult(line=line, task_id=task_id)
        if known is not None and known.state == "done":
            if known.digest == digest and is_intact(known.result):
                return LineResult(line=line, task_id=task_id, done=known)
            if known.digest == digest:
                remove_results(known)
            elif not said.get("overwrite"):
                raise ConflictError(
                    f"task_id: {task_id!r} is taken by another request, which is done", hint="use another id"
                )
        elif known is not None and known.token:
            remove_leftovers(known)
        if fetcher:
            layers = [_fetched(layer, fetcher) if layer is own else layer for layer in layers]
        request = resolve(layers, self.session)
        files = files_of(request)
        self._check_files(request.outputs, files)
        # Hashes are all that is kept of a line: a file may be long.
        self._digests[hash(task_id)] = hash(digest)
        self._files.update(map(hash, files))
        job = NewJob(
            task_id=task_id,
            digest=digest,
            affinity=affinity_of(request),
            said={"layers": pack(layers), "line": line.number or None, "notices": list(line.notices)},
        )
        return LineResult(line=line, task_id=task_id, job=job, request=request)

    def _repeats(self, task_id: str, digest: str) -> bool:
        """Whether an earlier line says the same; raises where one of that id says something else."""
        earlier = self._digests.get(hash(task_id))
        if earlier not in (None, hash(digest)):
            raise ConflictError(f"task_id: {task_id!r} is taken by an earlier line", hint="use another id")
        return earlier is not None

    def _check_files(self, outputs: Sequence[Path], files: Sequence[str]) -> None:
        for folder in {path.parent for path in outputs} - self._inside:
            root = self.rules.folder.resolve()
            if not folder.resolve().is_relative_to(root):
                raise RequestError(
                    "output", f"{folder} is outside of {root}", hint="results stay in the output folder"
                )
            self._inside.add(folder)
        if taken := next((name for name in files if hash(name) in self._files), None):
            raise ConflictError(f"output: {taken} is written by an earlier line", hint="give it another name")


def _fetched(layer: Layer, fetcher: UrlFetcher) -> Layer:
    """What a line says, with local files in the place of addresses."""
    values, addresses = fetcher.fetch_urls(layer.values)
    sums = {path: layer.checksums[name] for path, name in addresses.items() if name in layer.checksums}
    return replace(layer, values=values, checksums={**layer.checksums, **sums}, addresses=addresses)


def _name_by_id(said: Mapping[str, Any]) -> str:
    return "{task_id}" if said.get("count", 1) == 1 else "{task_id}-{index}"


def affinity_of(request: Request) -> str:
    """A text that is equal for requests which the same loaded pipeline serves."""
    how = request.task.model_dump(mode="json", include={"accelerator", "loras", *Runtime.model_fields})
    return " ".join([*(spec.name for spec in request.models.values()), _sha256(how)[:8]])


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def pack(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Layers as the store keeps them, so that a job can run without the file it came from."""
    return [
        {
            "kind": layer.kind,
            "name": layer.name,
            "values": dict(layer.values),
            "checksums": dict(layer.checksums),
            "addresses": dict(layer.addresses),
        }
        for layer in layers
    ]
