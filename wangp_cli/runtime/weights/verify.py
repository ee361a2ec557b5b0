"""Verify fetched weights: files by their checksums, parts by their headers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wangp_cli.errors import ModelError
from wangp_cli.models import ModelSpec, Source
from wangp_cli.pipelines.base import Weights
from wangp_cli.runtime.weights.download import checksums
from wangp_cli.runtime.weights.fetch import needed_repositories
from wangp_cli.runtime.weights.locate import expected, folder_of, missing_file
from wangp_cli.runtime.weights.receipt import Receipt

State = Literal["ok", "readable", "missing", "changed", "broken"]
GOOD = ("ok", "readable")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """State of a file or part: `ok` has its receipt's checksum, `readable` has none but can be opened."""

    path: Path
    state: State
    note: str = ""


def verify(spec: ModelSpec, models_dir: Path, report: Callable[[Path], None]) -> list[Finding]:
    """Check a model's weights: files by their checksums, parts by the headers of their weights.

    Args:
        spec: the model.
        models_dir: folder of all weights.
        report: told of each file before it is read through.
    """
    findings = []
    if missing := missing_file(spec, models_dir):
        findings.append(Finding(path=missing, state="missing"))
    for path, size, sha256 in _noted(spec, models_dir):
        report(path)
        findings.append(_compared(path, size, sha256))
    bad = {finding.path for finding in findings if finding.state not in GOOD}
    _forget(spec, models_dir, bad)
    if not bad:
        findings.append(_readable(spec, models_dir))
    return findings


def _forget(spec: ModelSpec, models_dir: Path, bad: set[Path]) -> None:
    """Take files from the records, so that the next fetch does not take them for whole."""
    for want in needed_repositories(spec) if bad else ():
        folder = folder_of(Source(repository=want.repository), models_dir)
        if record := Receipt.of(folder):
            record.without([name for name in record.files if folder / name in bad]).save(folder)


def _noted(spec: ModelSpec, models_dir: Path) -> list[tuple[Path, int, str]]:
    """Path, size and checksum of the model's files that were fetched."""
    noted = []
    for want in needed_repositories(spec):
        folder = folder_of(Source(repository=want.repository), models_dir)
        if record := Receipt.of(folder):
            noted += [
                (folder / name, file.size, file.sha256)
                for name, file in record.files.items()
                if want.includes(name)
            ]
    return noted


def _compared(path: Path, size: int, sha256: str) -> Finding:
    if not path.is_file():
        return Finding(path=path, state="missing")
    if path.stat().st_size != size:
        return Finding(path=path, state="changed", note=f"{path.stat().st_size} bytes, {size} were fetched")
    same = checksums(path)[0] == sha256
    return Finding(path=path, state="ok" if same else "changed")


def _readable(spec: ModelSpec, models_dir: Path) -> Finding:
    """Whether the weights can be opened, and are of the model's network where the catalogue names it."""
    from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint

    place = expected(spec, models_dir)
    if not spec.is_diffusion:
        return _readable_tool(place)
    try:
        checkpoint = Checkpoint(place)
        parts = [
            part for part, kind in checkpoint.index.items() if isinstance(kind, list) and kind[:1] != [None]
        ]
        beside = [part for part, _ in place.files if part not in parts]
        checkpoint.check([*(part for part in parts if part != "scheduler"), *beside])
    except ModelError as error:
        return Finding(path=place.folder, state="broken", note=error.message)
    return Finding(path=place.folder, state="readable")


def _readable_tool(place: Weights) -> Finding:
    """Whether the weights of a network of a tool can be opened; formats of other libraries are not opened."""
    from wangp_cli.pipelines.checkpoints.files import SAFETENSORS, open_weights

    files = [file for _, several in place.files for file in several]
    if not files:
        files = [file for suffix in SAFETENSORS for file in sorted(place.folder.rglob(f"*{suffix}"))]
    for file in files:
        try:
            if file.suffix in SAFETENSORS or place.allow_pickle:
                open_weights(file, allow_pickle=place.allow_pickle)
        except ModelError as error:
            return Finding(path=file, state="broken", note=error.message)
    return Finding(path=place.folder, state="readable")
