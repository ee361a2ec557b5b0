"""Sizes of the weights of a model, from the headers of its files or as published in the catalogue."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wangp_cli.files.safetensors_header import read_header
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import TRANSFORMERS, Weights
from wangp_cli.runtime.weights.locate import expected, missing_file
from wangp_cli.runtime.weights.receipt import RECEIPT

NETWORK = "network"
"""Name of the only part of an auxiliary network."""
BYTES_OF_16_BITS, BYTES_OF_32_BITS = 2, 4
ALWAYS = ("text_encoder", "vae")
"""Parts that every diffusion model has."""


@dataclass(frozen=True, kw_only=True)
class PartSize:
    """Size of one part of a model.

    Args:
        weights: number of parameters.
        bytes: size of its files; two bytes per parameter if they are not on this machine, four for an
            auxiliary network.
        here: whether they are on this machine.
    """

    weights: int
    bytes: int
    here: bool


def part_sizes(spec: ModelSpec, models_dir: Path) -> dict[str, PartSize]:
    """The size of every part of a model, without reading weights."""
    places = expected(spec, models_dir)
    here = missing_file(spec, models_dir) is None
    if not spec.is_diffusion:
        return {NETWORK: _of_auxiliary(spec, places, here=here)}
    sizes = {}
    for name, usual in _published(spec).items():
        sizes[name] = _of_files(name, places, usual) or PartSize(
            weights=usual, bytes=BYTES_OF_16_BITS * usual, here=here
        )
    return sizes


def memory_in_turns(sizes: Mapping[str, PartSize]) -> int:
    """Bytes of the largest part in 16 bits: what the device must hold where parts take turns on it."""
    return BYTES_OF_16_BITS * max((size.weights for size in sizes.values()), default=0)


def network_config(spec: ModelSpec, models_dir: Path) -> dict[str, Any]:
    """The configuration of a model's transformer; empty if it is unknown."""
    if spec.network:
        return spec.network.config
    try:
        file = expected(spec, models_dir).folder / "transformer" / "config.json"
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config


def _of_auxiliary(spec: ModelSpec, places: Weights, *, here: bool) -> PartSize:
    """The size of an auxiliary network: of all its files, or in 32 bits, as most are published."""
    files = [file for _, several in places.files for file in several]
    if not files and here:
        files = [file for file in places.folder.rglob("*") if file.is_file() and file.name[:1] != "."]
    if not here:
        weights = spec.parameters or 0
        return PartSize(weights=weights, bytes=BYTES_OF_32_BITS * weights, here=False)
    counts = [parameters_in(file) or 0 for file in files if file.suffix == ".safetensors"]
    return PartSize(
        weights=sum(counts) or spec.parameters or 0,
        bytes=sum(file.stat().st_size for file in files if file.name != RECEIPT),
        here=True,
    )


def _published(spec: ModelSpec) -> dict[str, int]:
    """Published number of parameters by part; 0 if the catalogue has no number."""
    own = (spec.network.parameters if spec.network else None) or 0
    parts = dict.fromkeys(TRANSFORMERS[: spec.experts], own)
    parts |= {name: spec.traits.parts.get(name, 0) for name in ALWAYS}
    parts |= spec.network.parts if spec.network else {}
    return parts | {name: spec.traits.parts.get(name, 0) for name in spec.source.parts if name not in parts}


def _of_files(name: str, places: Weights, usual: int) -> PartSize | None:
    files = list(dict(places.files).get(name, ()) or sorted((places.folder / name).glob("*.safetensors")))
    if not files or not all(file.is_file() for file in files):
        return None
    size = sum(file.stat().st_size for file in files)
    counts = [parameters_in(file) for file in files]
    weights = usual if usual and places.network and name in TRANSFORMERS else sum(filter(None, counts))
    return PartSize(weights=weights or usual, bytes=size, here=True)


def parameters_in(file: Path) -> int | None:
    """Number of parameters in a safetensors file, by its header; None for other or broken files."""
    try:
        header, _ = read_header(file)
        shapes = [entry["shape"] for key, entry in header.items() if key != "__metadata__"]
        return sum(int(math.prod(shape)) for shape in shapes)
    except (OSError, ValueError, KeyError, TypeError):
        return None
