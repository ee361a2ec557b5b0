"""From lines to jobs: named, confined to the output folder, checked before anything runs."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ConflictError, RequestError, WangpError
from wangp_cli.presets import Layer, merge
from wangp_cli.runtime.execute import as_known
from wangp_cli.runtime.intake.allow import check_paths, confine_output
from wangp_cli.runtime.resolve import Request, resolve
from wangp_cli.runtime.store import NewJob

if TYPE_CHECKING:
    from wangp_cli.runtime.intake import Line
    from wangp_cli.runtime.session import Session

HOW = frozenset({"overwrite", "skip_existing"})
"""Fields that say how to treat what is there, not what to make."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What lines may do and which of them run.

    Args:
        folder: every result lies in it.
        defaults: layers under every line: presets, then flags.
        roots: folders whose files lines may name.
        only: ids to run; empty for all.
        shard: which of how many, counted from 1.
    """

    folder: Path
    defaults: Sequence[Layer]
    roots: Sequence[Path]
    only: frozenset[str] = frozenset()
    shard: tuple[int, int] = (1, 1)


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """A line that became a job, or why it did not."""

    line: Line
    key: str | None
    job: NewJob | None = None
    request: Request | None = None
    error: WangpError | None = None


@dataclass
class Door:
    """Admits lines one by one; remembers what it has seen, to name lines that have no id."""

    rules: Rules
    session: Session
    _seen: Counter[str] = field(default_factory=Counter)
    _taken: set[int] = field(default_factory=set)

    def admit(self, lines: Iterable[Line]) -> list[Admitted]:
        """Check lines; those that are not chosen by shard or id are left out."""
        found = (self._admit(line) for line in lines if self._in_shard(line))
        return [one for one in found if one is not None]

    def _in_shard(self, line: Line) -> bool:
        which, of = self.rules.shard
        return (line.number - 1) % of == which - 1

    def _admit(self, line: Line) -> Admitted | None:
        if line.error is not None or line.values is None:
            return Admitted(line=line, key=line.task_id, error=line.error)
        key = line.task_id or self._name(line.digest)
        if self.rules.only and key not in self.rules.only:
            return None
        try:
            check_paths(line.values, self.rules.roots)
            values = confine_output(line.values, self.rules.folder)
            layers = [
                *self.rules.defaults,
                Layer(name=line.origin, values=values, checksums=line.checksums),
                Layer(name="run", values={"task_id": key}),
            ]
            request = resolve(layers, self.session)
            self._check_outputs(request.outputs)
        except (WangpError, OSError) as error:
            return Admitted(line=line, key=key, error=as_known(error))
        job = NewJob(
            key=key,
            digest=digest_of(layers),
            model=request.spec.name,
            said=pack(layers),
            outputs=[] if request.skipped else [str(path) for path in request.outputs],
        )
        return Admitted(line=line, key=key, job=job, request=request)

    def _check_outputs(self, outputs: Sequence[Path]) -> None:
        root = self.rules.folder.resolve()
        for path in outputs:
            if not path.parent.resolve().is_relative_to(root):
                raise RequestError(
                    "output", f"{path} is outside of {root}", hint="results stay in the output folder"
                )
            if (mark := hash(path)) in self._taken:
                raise ConflictError(
                    f"output: {path} is written by an earlier line", hint="give it another name"
                )
            self._taken.add(mark)

    def _name(self, digest: str) -> str:
        """The hash of what a line says, and which of its equals it is."""
        short = digest[:12]
        self._seen[short] += 1
        return f"{short}-{self._seen[short]}"


def canonical(value: Any) -> bytes:
    """One byte string for equal JSON values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()


def digest_of(layers: Sequence[Layer]) -> str:
    """The sha256 of everything that is said, before a seed is drawn."""
    said = {name: value for name, value in merge(layers).values.items() if name not in HOW}
    return hashlib.sha256(canonical(said)).hexdigest()


def pack(layers: Sequence[Layer]) -> dict[str, Any]:
    """Layers as JSON, so that a job can run without the file it came from."""
    plain = [
        {"name": layer.name, "values": dict(layer.values), "checksums": dict(layer.checksums)}
        for layer in layers
    ]
    packed: dict[str, Any] = json.loads(json.dumps({"layers": plain}, default=str))
    return packed


def unpack(said: dict[str, Any]) -> list[Layer]:
    """The layers of a job."""
    return [Layer(**layer) for layer in said["layers"]]
