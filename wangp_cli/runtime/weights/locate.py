"""Where a model's weights are on this machine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from wangp_cli.errors import ModelError
from wangp_cli.models import ModelSpec, Source
from wangp_cli.pipelines.base import TRANSFORMERS, Weights
from wangp_cli.runtime.weights import prepared
from wangp_cli.runtime.weights.receipt import Receipt

INDEX = "model_index.json"
DTYPES = ("bfloat16", "float16", "float32")


def locate(spec: ModelSpec, models_dir: Path, dtype: str | None = None) -> Weights:
    """Where the model's weights are.

    Args:
        spec: the model.
        models_dir: folder of all weights.
        dtype: they will run in; if they were prepared for it, that copy is taken.

    Raises:
        ModelError: they are not on this machine.
    """
    place = expected(spec, models_dir)
    source = place if present(spec, models_dir) else None
    if source and not spec.is_diffusion:
        return source
    beside = tuple((part, files) for part, files in place.files if part not in TRANSFORMERS)
    if all(file.is_file() for _, files in beside for file in files):
        for wanted in (dtype,) if dtype else DTYPES:
            if found := prepared.find(spec, models_dir, wanted, source):
                return replace(found, files=beside)
    if missing := missing_file(spec, models_dir):
        hint = f"wangp models fetch {spec.name}" if fetchable(spec.source) else "put the weights there"
        raise ModelError(f"weights of {spec.name!r} are not here: {missing} is missing", hint=hint)
    return place


def present(spec: ModelSpec, models_dir: Path) -> bool:
    """Whether the weights are on this machine."""
    return missing_file(spec, models_dir) is None


def missing_file(spec: ModelSpec, models_dir: Path) -> Path | None:
    """The first file or folder of the weights that is not on this machine, None if all are."""
    found = expected(spec, models_dir)
    of_parts = (file for _, several in found.files for file in several)
    if missing := next((file for file in of_parts if not file.is_file()), None):
        return missing
    if not spec.is_diffusion:
        return _missing_of_tool(spec, found.folder)
    if not (found.folder / INDEX).is_file():
        return found.folder / INDEX
    try:
        index = json.loads((found.folder / INDEX).read_text(encoding="utf-8"))
        parts = [part for part, kind in index.items() if isinstance(kind, list) and kind[:1] != [None]]
    except (OSError, ValueError, AttributeError):
        return None  # Broken, not missing: whoever reads it says so.
    parts = [part for part in parts if not (found.network and part in TRANSFORMERS)]
    return next((where for part in parts if (where := _missing_in(found.folder / part))), None)


def _missing_of_tool(spec: ModelSpec, folder: Path) -> Path | None:
    """The first missing file of a folder in its author's layout."""
    if spec.source.repository:
        receipt = Receipt.of(folder)
        if receipt is None or not receipt.complete:
            return folder
        return next((folder / name for name in receipt.missing(folder)), None)
    return None if folder.is_dir() and any(folder.iterdir()) else folder


def _missing_in(part: Path) -> Path | None:
    """The first missing file of one part, as far as can be told without reading weights."""
    if not part.is_dir() or not any(part.iterdir()):
        return part
    for index in part.glob("*.safetensors.index.json"):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError):
            return None
        return next((part / shard for shard in sorted(shards) if not (part / shard).is_file()), None)
    numbered = next((file.name for file in part.glob("*-of-*.safetensors")), None)
    return part / f"{numbered.split('-')[0]}.safetensors.index.json" if numbered else None


def expected(spec: ModelSpec, models_dir: Path) -> Weights:
    """Where the weights are, or will be fetched to."""
    source = spec.source
    files = {part: tuple(file_of(name, models_dir) for name in names) for part, names in source.parts.items()}
    whole = source.components or source
    in_folder = whole.repository or whole.folder or whole.package or not files
    return Weights(
        folder=folder_of(whole, models_dir) if in_folder else next(iter(files.values()))[0].parent,
        files=tuple(files.items()),
        network=spec.network if source.file else None,
        allow_pickle=source.allow_pickle,
    )


def folder_of(source: Source, models_dir: Path) -> Path:
    """The folder of a source in diffusers layout."""
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
        ModelError: it begins so, and goes on otherwise.
    """
    if not name.startswith("hf://"):
        return None
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([\w.-]+))?/([\w./ -]+)", name)
    if not match or ".." in match[3].split("/"):
        raise ModelError(f"{name!r} is not hf://owner/name/path/to/file")
    return HubFile(match[1], match[3], match[2])


def fetchable(source: Source) -> bool:
    """Whether any of it is on a hub."""
    whole = (source, source.components) if source.components else (source,)
    return any(place.repository for place in whole) or any(
        hub_file(name) for names in source.parts.values() for name in names
    )


def card(spec: ModelSpec) -> dict[str, Any] | None:
    """What was measured of a model that ships with us: its world, its compute and its figures."""
    file = package_folder(spec.source.package) / "card.json" if spec.source.package else None
    return json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else None


@cache
def shipped_vocabulary(package: str) -> frozenset[str]:
    """The words that a model inside the package knows; empty if its tokenizer is no list of words."""
    file = package_folder(package) / "tokenizer" / "tokenizer.json"
    model = json.loads(file.read_text(encoding="utf-8"))["model"] if file.is_file() else {}
    return frozenset(model["vocab"]) if model.get("type") == "WordLevel" else frozenset()


def package_folder(package: str) -> Path:
    """A folder of weights inside the package."""
    return Path(str(files("wangp_cli") / package))
