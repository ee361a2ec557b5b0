"""Sizes of a model's weights: from the headers of its files, or as published where there are none."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wangp_cli.files.safetensors_header import read_header
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import TRANSFORMERS, Weights
from wangp_cli.runtime.weights.locate import expected, missing_file
from wangp_cli.runtime.weights.receipt import RECEIPT

NETWORK = "network"
"""Name of the one part of a network of a tool."""
ALWAYS = ("text_encoder", "vae")
"""Parts that every diffusion model has."""


@dataclass(frozen=True, kw_only=True)
class PartSize:
    """One part of a model.

    Args:
        weights: number of parameters.
        bytes: of its files; those that will be fetched are counted in 16 bits.
        here: whether they are on this machine.
    """

    weights: int
    bytes: int
    here: bool


def part_sizes(spec: ModelSpec, models_dir: Path) -> dict[str, PartSize]:
    """The size of every part of a model, as exactly as is known without reading weights."""
    place = expected(spec, models_dir)
    here = missing_file(spec, models_dir) is None
    if not spec.is_diffusion:
        return {NETWORK: _of_tool(spec, place, here=here)}
    sizes = {}
    for name, usual in _published(spec).items():
        sizes[name] = _of_files(name, place, usual) or PartSize(weights=usual, bytes=2 * usual, here=here)
    return sizes


def network_config(spec: ModelSpec, models_dir: Path) -> dict[str, Any]:
    """The configuration of a model's transformer; empty if nothing tells it."""
    if spec.network:
        return spec.network.config
    try:
        file = expected(spec, models_dir).folder / "transformer" / "config.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _of_tool(spec: ModelSpec, place: Weights, *, here: bool) -> PartSize:
    """The network of a tool; its bytes are those of all its files, or half precision where none are here."""
    files = [file for _, several in place.files for file in several]
    if not files and here:
        files = [file for file in place.folder.rglob("*") if file.is_file() and file.name[:1] != "."]
    if not here:
        weights = spec.parameters or 0
        return PartSize(weights=weights, bytes=2 * weights, here=False)
    counts = [parameters_in(file) or 0 for file in files if file.suffix == ".safetensors"]
    return PartSize(
        weights=sum(counts) or spec.parameters or 0,
        bytes=sum(file.stat().st_size for file in files if file.name != RECEIPT),
        here=True,
    )


def _published(spec: ModelSpec) -> dict[str, int]:
    """How many parameters each part has as published; 0 where the catalogue does not tell."""
    own = (spec.network.parameters if spec.network else None) or 0
    parts = dict.fromkeys(TRANSFORMERS[: spec.experts], own)
    parts |= {name: spec.traits.parts.get(name, 0) for name in ALWAYS}
    parts |= spec.network.parts if spec.network else {}
    return parts | {name: spec.traits.parts.get(name, 0) for name in spec.source.parts if name not in parts}


def _of_files(name: str, place: Weights, usual: int) -> PartSize | None:
    files = list(dict(place.files).get(name, ()) or sorted((place.folder / name).glob("*.safetensors")))
    if not files or not all(file.is_file() for file in files):
        return None
    size = sum(file.stat().st_size for file in files)
    counts = [parameters_in(file) for file in files]
    weights = usual if usual and place.network and name in TRANSFORMERS else sum(filter(None, counts))
    return PartSize(weights=weights or usual, bytes=size, here=True)


def parameters_in(file: Path) -> int | None:
    """Number of parameters in a safetensors file, by its header; None for other or broken files."""
    try:
        header, _ = read_header(file)
        shapes = [entry["shape"] for key, entry in header.items() if key != "__metadata__"]
        return sum(int(math.prod(shape)) for shape in shapes)
    except (OSError, ValueError, KeyError, TypeError):
        return None
