"""Verify the weights of a model: fetched files by checksum, all parts by the code that loads them."""

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
from wangp_cli.runtime.weights.locate import INDEX, expected, folder_of, missing_file
from wangp_cli.runtime.weights.receipt import Receipt

State = Literal["ok", "readable", "missing", "changed", "broken"]
GOOD = ("ok", "readable")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """State of a file or part: `ok` matches the checksum in its receipt, `readable` can be loaded."""

    path: Path
    state: State
    note: str = ""


def verify(spec: ModelSpec, models_dir: Path, report: Callable[[Path], None]) -> list[Finding]:
    """Verify the weights of a model; wrong files are removed from receipts, so that a fetch replaces them.

    Args:
        spec: the model.
        models_dir: folder of all weights.
        report: called with each file before it is read.
    """
    findings = []
    if missing := missing_file(spec, models_dir):
        findings.append(Finding(path=missing, state="missing"))
    for path, size, sha256 in _recorded_files(spec, models_dir):
        report(path)
        findings.append(_compare(path, size, sha256))
    bad = {finding.path for finding in findings if finding.state not in GOOD}
    _remove_from_receipts(spec, models_dir, bad)
    if not bad:
        findings.append(_readable(spec, models_dir))
    if findings[-1].state == "readable":
        weights, known = expected(spec, models_dir), {finding.path for finding in findings}
        for file in _weight_files(weights):
            if file not in known:
                report(file)
                findings += _broken_numbers(file, weights)
    return findings


def _weight_files(weights: Weights) -> list[Path]:
    """The weight files that a run reads."""
    others = (".json", ".onnx")
    single = [file for _, files in weights.files for file in files if file.suffix not in others]
    in_parts = weights.folder.glob("*/*.safetensors") if (weights.folder / INDEX).is_file() else ()
    return [*single, *sorted(in_parts)]


def _broken_numbers(file: Path, weights: Weights) -> list[Finding]:
    """A finding for the first tensor of a file without checksum that has values which are not finite."""
    from wangp_cli.pipelines.checkpoints.files import first_not_finite

    try:
        key = first_not_finite(file, allow_pickle=weights.allow_pickle)
    except ModelError as error:
        return [Finding(path=file, state="broken", note=error.message)]
    return [Finding(path=file, state="broken", note=f"{key} has values that are not finite")] if key else []


def _remove_from_receipts(spec: ModelSpec, models_dir: Path, bad: set[Path]) -> None:
    """Remove files from receipts, so that the next fetch downloads them."""
    for needed in needed_repositories(spec) if bad else ():
        folder = folder_of(Source(repository=needed.repository), models_dir)
        if receipt := Receipt.of(folder):
            receipt.without([name for name in receipt.files if folder / name in bad]).save(folder)


def _recorded_files(spec: ModelSpec, models_dir: Path) -> list[tuple[Path, int, str]]:
    """Path, size and checksum of the fetched files of a model, from receipts."""
    recorded = []
    for needed in needed_repositories(spec):
        folder = folder_of(Source(repository=needed.repository), models_dir)
        if receipt := Receipt.of(folder):
            recorded += [
                (folder / name, file.size, file.sha256)
                for name, file in receipt.files.items()
                if needed.includes(name)
            ]
    return recorded


def _compare(path: Path, size: int, sha256: str) -> Finding:
    if not path.is_file():
        return Finding(path=path, state="missing")
    if path.stat().st_size != size:
        return Finding(path=path, state="changed", note=f"{path.stat().st_size} bytes, {size} were fetched")
    same = checksums(path)[0] == sha256
    return Finding(path=path, state="ok" if same else "changed")


def _readable(spec: ModelSpec, models_dir: Path) -> Finding:
    """Whether a run can load the weights: by the code that loads them, up to the numbers in the files."""
    from wangp_cli.pipelines import registry

    weights = expected(spec, models_dir)
    try:
        if spec.is_diffusion:
            registry.check(spec.family)(spec, weights)
        elif spec.architecture in registry.NETWORKS:
            registry.network_loader(spec.architecture, registry.NETWORKS)(spec, weights, "cpu", "float32")
        else:
            return _openable(weights)
    except ModelError as error:
        return Finding(path=weights.folder, state="broken", note=error.message)
    return Finding(path=weights.folder, state="readable")


def _openable(weights: Weights) -> Finding:
    """Whether the safetensors files and allowed pickles of an auxiliary network can be opened."""
    from wangp_cli.pipelines.checkpoints.files import SAFETENSORS, open_weights

    files = [file for _, several in weights.files for file in several]
    if not files:
        files = [file for suffix in SAFETENSORS for file in sorted(weights.folder.rglob(f"*{suffix}"))]
    for file in files:
        try:
            if file.suffix in SAFETENSORS or weights.allow_pickle:
                open_weights(file, allow_pickle=weights.allow_pickle)
        except ModelError as error:
            return Finding(path=file, state="broken", note=error.message)
    return Finding(path=weights.folder, state="readable")
