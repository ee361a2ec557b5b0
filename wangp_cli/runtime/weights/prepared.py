"""Weights in the dtype they run in: processes map the files and share one copy in memory."""

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
    """A model's prepared weights; None if there are none, or if `source` has changed since."""
    folder = folder_of(spec, models_dir, dtype)
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if marker.get("dtype") != dtype or (source and marker.get("of") != fingerprint(source)):
        return None
    return Weights(folder=folder, mapped=True)


def is_prepared(folder: Path) -> bool:
    """Whether a folder holds prepared weights, whatever their source, so that new ones may replace it."""
    return (folder / MARKER).is_file()


def fingerprint(place: Weights) -> str:
    """Tells this state of weights from others, by the names, sizes and times of their files."""
    digest = hashlib.sha256()
    named = [file for _, files in place.files for file in files]
    inside = [file for file in place.folder.rglob("*.safetensors") if not file.name.startswith(".")]
    for file in sorted({*named, *inside}):
        facts = file.stat()
        digest.update(f"{file} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
