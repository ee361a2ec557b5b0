"""How large a model's weights are: by the headers of its files, or as published where they are not here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wangp_cli.files.safetensors_header import read_header
from wangp_cli.models import ModelSpec, Module
from wangp_cli.pipelines.base import Weights
from wangp_cli.runtime.weights.locate import TRANSFORMERS, expected, missing_file

TEXT_ENCODER = 5_680_910_336
VAE = 126_892_531
VAE_OF_5B = 704_688_668
IMAGE_ENCODER = 630_766_080
"""Weights of the parts that all published Wan models share."""
MODULES: dict[Module, int] = {"audio_encoder": 94_371_712, "speech": 840_437_760, "control": 1_000_000_000}
"""Those of further parts, as published; of Uni3C's control network about."""


@dataclass(frozen=True, kw_only=True)
class PartSize:
    """One part of a model.

    Args:
        weights: how many numbers it has.
        bytes: of its files; those that will be fetched are counted in 16 bits.
        here: whether they are on this machine.
    """

    weights: int
    bytes: int
    here: bool


def part_sizes(spec: ModelSpec, models_dir: Path) -> dict[str, PartSize]:
    """Every part of a model that has weights, as exactly as is known without reading them."""
    place = expected(spec, models_dir)
    here = missing_file(spec, models_dir) is None
    sizes = {}
    for name, usual in _usual(spec).items():
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


def _usual(spec: ModelSpec) -> dict[str, int]:
    """How many weights each part has as published; 0 where the catalogue does not tell."""
    own = (spec.network.parameters if spec.network else None) or 0
    usual = dict.fromkeys(TRANSFORMERS[: spec.experts], own)
    usual |= {"text_encoder": TEXT_ENCODER, "vae": VAE_OF_5B if spec.architecture == "ti2v" else VAE}
    if spec.network and spec.network.config.get("image_dim"):
        usual["image_encoder"] = IMAGE_ENCODER
    return usual | {name: size for name, size in MODULES.items() if name in spec.source.parts}


def _of_files(name: str, place: Weights, usual: int) -> PartSize | None:
    files = list(dict(place.files).get(name, ()) or sorted((place.folder / name).glob("*.safetensors")))
    if not files or not all(file.is_file() for file in files):
        return None
    size = sum(file.stat().st_size for file in files)
    counts = [parameters_in(file) for file in files]
    weights = usual if usual and place.network and name in TRANSFORMERS else sum(filter(None, counts))
    return PartSize(weights=weights or usual, bytes=size, here=True)


def parameters_in(file: Path) -> int | None:
    """How many numbers a safetensors file holds, by its header alone; None of other or broken files."""
    try:
        header, _ = read_header(file)
        shapes = [entry["shape"] for key, entry in header.items() if key != "__metadata__"]
        return sum(int(math.prod(shape)) for shape in shapes)
    except (OSError, ValueError, KeyError, TypeError):
        return None
