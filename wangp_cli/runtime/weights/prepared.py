"""Prepared weights: cast to the dtype they run in, so that processes share one memory-mapped copy."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import Weights

FOLDER = "prepared"
MARKER = "rewritten.json"


def folder_of(spec: ModelSpec, models_dir: Path, dtype: str) -> Path:
    """Folder of a model's prepared weights."""
    return models_dir / FOLDER / f"{spec.name}-{dtype}"


def find(spec: ModelSpec, models_dir: Path, dtype: str, source: Weights | None) -> Weights | None:
    """The prepared weights of a model; None if there are none, or if `source` has changed since."""
    folder = folder_of(spec, models_dir, dtype)
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if marker.get("dtype") != dtype or (source and marker.get("of") != fingerprint(source)):
        return None
    return Weights(folder=folder, mapped=True)


def is_prepared(folder: Path) -> bool:
    """Whether a folder holds prepared weights of any source, so that it may be replaced."""
    return (folder / MARKER).is_file()


def fingerprint(weights: Weights) -> str:
    """SHA-256 of the paths, sizes and times of the files of weights."""
    digest = hashlib.sha256()
    single = [file for _, files in weights.files for file in files]
    in_folder = [file for file in weights.folder.rglob("*.safetensors") if not file.name.startswith(".")]
    for file in sorted({*single, *in_folder}):
        facts = file.stat()
        digest.update(f"{file} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
