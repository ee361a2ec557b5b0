"""Locate the weights of a model on this machine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from wangp_cli.errors import ModelError
from wangp_cli.files.shard_index import shards_of
from wangp_cli.models import ModelSpec, Source
from wangp_cli.pipelines.base import TRANSFORMERS, Weights
from wangp_cli.runtime.weights import prepared
from wangp_cli.runtime.weights.receipt import Receipt

INDEX = "model_index.json"
DTYPES = ("bfloat16", "float16", "float32")


def locate(spec: ModelSpec, models_dir: Path, dtype: str | None = None) -> Weights:
    """The weights of a model, preferably prepared ones.

    Args:
        spec: the model.
        models_dir: folder of all weights.
        dtype: dtype that the weights run in; prepared weights of another dtype are ignored. None allows any.

    Raises:
        ModelError: the weights are not on this machine.
    """
    weights = expected(spec, models_dir)
    source = weights if present(spec, models_dir) else None
    if source and not spec.is_diffusion:
        return source
    others = tuple((part, files) for part, files in weights.files if part not in TRANSFORMERS)
    if all(file.is_file() for _, files in others for file in files):
        for each in (dtype,) if dtype else DTYPES:
            if ready := prepared.find(spec, models_dir, each, source):
                return replace(ready, files=others)
    if missing := missing_file(spec, models_dir):
        hint = f"wangp models fetch {spec.name}" if fetchable(spec.source) else "put the weights there"
        raise ModelError(f"weights of {spec.name!r} are not on this machine: {missing} is missing", hint=hint)
    return weights


def present(spec: ModelSpec, models_dir: Path) -> bool:
    """Whether the weights are on this machine."""
    return missing_file(spec, models_dir) is None


def missing_file(spec: ModelSpec, models_dir: Path) -> Path | None:
    """The first file or folder of the weights that is not on this machine; None if none is missing."""
    weights = expected(spec, models_dir)
    single_files = (file for _, files in weights.files for file in files)
    if missing := next((file for file in single_files if not file.is_file()), None):
        return missing
    if not spec.is_diffusion:
        return _missing_of_auxiliary(spec, weights.folder)
    if not (weights.folder / INDEX).is_file():
        return weights.folder / INDEX
    try:
        index = json.loads((weights.folder / INDEX).read_text(encoding="utf-8"))
        parts = [part for part, kind in index.items() if isinstance(kind, list) and kind[:1] != [None]]
    except (OSError, ValueError, AttributeError):
        return None  # Broken, not missing: loading it raises the error.
    parts = [part for part in parts if not (weights.network and part in TRANSFORMERS)]
    return next((path for part in parts if (path := _missing_in(weights.folder / part))), None)


def _missing_of_auxiliary(spec: ModelSpec, folder: Path) -> Path | None:
    """The first missing file of an auxiliary network, whose folder is not in diffusers layout."""
    if spec.source.repository:
        receipt = Receipt.of(folder)
        if receipt is None or not receipt.complete:
            return folder
        return next((folder / name for name in receipt.missing(folder)), None)
    return None if folder.is_dir() and any(folder.iterdir()) else folder


def _missing_in(part: Path) -> Path | None:
    """The first missing file of one part, by its index or the numbers in file names."""
    if not part.is_dir() or not any(part.iterdir()):
        return part
    for index in part.glob("*.safetensors.index.json"):
        try:
            shards = shards_of(index)
        except (OSError, ValueError):
            return None  # Broken, not missing: loading it raises the error.
        return next((shard for shard in shards if not shard.is_file()), None)
    numbered = next((file.name for file in part.glob("*-of-*.safetensors")), None)
    return part / f"{numbered.split('-')[0]}.safetensors.index.json" if numbered else None


def expected(spec: ModelSpec, models_dir: Path) -> Weights:
    """The places of the weights, which may not be fetched yet."""
    source = spec.source
    files = {part: tuple(file_of(name, models_dir) for name in names) for part, names in source.parts.items()}
    components = source.components or source
    has_folder = components.repository or components.folder or components.package or not files
    return Weights(
        folder=folder_of(components, models_dir) if has_folder else next(iter(files.values()))[0].parent,
        files=tuple(files.items()),
        network=spec.network if source.file else None,
        allow_pickle=source.allow_pickle,
    )


def folder_of(source: Source, models_dir: Path) -> Path:
    """The folder of a source that is not single files."""
    if source.package:
        return package_folder(source.package)
    if source.folder:
        return source.folder.expanduser()
    return models_dir / str(source.repository).replace("/", "--")


def file_of(name: str, models_dir: Path) -> Path:
    """The path of a file that a source names."""
    if remote := hub_file(name):
        return models_dir / remote.repository.replace("/", "--") / remote.path
    return models_dir / Path(name).expanduser()


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the hub."""

    repository: str
    path: str
    revision: str | None = None


def hub_file(name: str) -> HubFile | None:
    """The file that `hf://owner/name[@revision]/path` names; None for other names.

    Raises:
        ModelError: it begins with `hf://` and has another form.
    """
    if not name.startswith("hf://"):
        return None
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([\w.-]+))?/([\w./ -]+)", name)
    if not match or ".." in match[3].split("/"):
        raise ModelError(f"{name!r} is not hf://owner/name/path/to/file")
    return HubFile(match[1], match[3], match[2])


def fetchable(source: Source) -> bool:
    """Whether any file of a source is on a hub."""
    sources = (source, source.components) if source.components else (source,)
    return any(each.repository for each in sources) or any(
        hub_file(name) for names in source.parts.values() for name in names
    )


def card(spec: ModelSpec) -> dict[str, Any] | None:
    """The model card of a model inside the package: training data, compute and metrics; else None."""
    file = package_folder(spec.source.package) / "card.json" if spec.source.package else None
    return json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else None


@cache
def shipped_vocabulary(package: str) -> frozenset[str]:
    """The vocabulary of a model inside the package; empty if its tokenizer is not word-level."""
    file = package_folder(package) / "tokenizer" / "tokenizer.json"
    model = json.loads(file.read_text(encoding="utf-8"))["model"] if file.is_file() else {}
    return frozenset(model["vocab"]) if model.get("type") == "WordLevel" else frozenset()


def package_folder(package: str) -> Path:
    """A folder of weights inside the package."""
    return Path(str(files("wangp_cli") / package))
