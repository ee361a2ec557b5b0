"""Remove weights from this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wangp_cli.catalogue import Catalogue
from wangp_cli.errors import ModelError
from wangp_cli.files.atomic import sweep
from wangp_cli.models import ModelSpec, Source
from wangp_cli.runtime.weights import prepared
from wangp_cli.runtime.weights.fetch import needed_repositories
from wangp_cli.runtime.weights.locate import DTYPES, folder_of, present
from wangp_cli.runtime.weights.receipt import Receipt


@dataclass(frozen=True, kw_only=True)
class Removal:
    """A planned removal: the files to delete, and those that other models need.

    Args:
        gone: files to delete.
        kept: the model that needs a file, by file that stays.
        bytes: size of the files to delete.
    """

    gone: tuple[Path, ...]
    kept: dict[Path, str]
    bytes: int


def plan_removal(specs: Iterable[ModelSpec], catalogue: Catalogue, models_dir: Path) -> Removal:
    """The fetched files of these models that no other model on this machine needs.

    Raises:
        ModelError: the weights of a model were not fetched: they are the user's own, or part of the package.
    """
    removed = {spec.name: spec for spec in specs}
    for spec in removed.values():
        if not needed_repositories(spec) and not _prepared(spec, models_dir):
            raise ModelError(
                f"weights of {spec.name!r} were not fetched, they stay where they are",
                hint=f"wangp models path {spec.name}",
            )
    others = [
        spec
        for spec in catalogue.models.values()
        if spec.name not in removed and spec.status != "unsupported" and present(spec, models_dir)
    ]
    needed = {path: spec.name for spec in others for path in _files(spec, models_dir)}
    mine = dict.fromkeys(path for spec in removed.values() for path in _files(spec, models_dir))
    gone = tuple(path for path in mine if path not in needed)
    return Removal(
        gone=gone,
        kept={path: needed[path] for path in mine if path in needed},
        bytes=sum(path.stat().st_size for path in gone),
    )


def _files(spec: ModelSpec, models_dir: Path) -> list[Path]:
    """The model's files in the folders of fetched weights."""
    paths = []
    for needed in needed_repositories(spec):
        folder = folder_of(Source(repository=needed.repository), models_dir)
        paths += [
            file
            for file in sorted(folder.rglob("*"))
            if file.is_file() and needed.includes(_name(file, folder)) and file.name[:1] != "."
        ]
        paths += [part for part in sorted(folder.rglob(".*.part")) if part.is_file()]
    return paths + _prepared(spec, models_dir)


def _prepared(spec: ModelSpec, models_dir: Path) -> list[Path]:
    folders = [prepared.folder_of(spec, models_dir, dtype) for dtype in DTYPES]
    return [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def remove(removal: Removal, models_dir: Path) -> None:
    """Delete the files, their receipt entries, and folders that become empty."""
    # The index marks a folder as complete, so it is deleted first.
    for path in sorted(removal.gone, key=lambda path: (path.name != "model_index.json", path)):
        path.unlink(missing_ok=True)
    for folder in {models_dir / path.relative_to(models_dir).parts[0] for path in removal.gone}:
        if receipt := Receipt.of(folder):
            receipt.without(receipt.missing(folder)).save(folder)
        for empty in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(empty.iterdir()):
                empty.rmdir()
        sweep(folder)
        if {path.name for path in folder.iterdir()} <= {"wangp.json", ".wangp.lock"}:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
