"""Layers of values and where each value came from; named presets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wangp_cli.catalogue import read_yaml
from wangp_cli.errors import ModelError, RequestError, nearest


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Values from one place. None means not said; zero is a value.

    Args:
        name: the place, as origins show it: `flag`, `model vace_14B`, `file look.json`.
        values: by field name.
        checksums: sha256 that input files must have, by path as `values` has it.
        addresses: where files were fetched from, likewise.
    """

    name: str
    values: Mapping[str, Any]
    checksums: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """The winning value of each field, and the name of the layer it came from."""

    values: dict[str, Any]
    origin: dict[str, str]
    checksums: dict[str, str]
    addresses: dict[str, str] = field(default_factory=dict)


def merge(layers: Iterable[Layer]) -> Resolved:
    """Stack layers: a later layer's value wins, None never does."""
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    checksums: dict[str, str] = {}
    addresses: dict[str, str] = {}
    for layer in layers:
        checksums |= layer.checksums
        addresses |= layer.addresses
        for name, value in layer.values.items():
            if value is not None:
                values[name] = value
                origin[name] = layer.name
    return Resolved(values=values, origin=origin, checksums=checksums, addresses=addresses)


class Preset(BaseModel):
    """A named look: values for any fields of a task."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    title: str = ""
    description: str = ""
    values: dict[str, Any] = Field(min_length=1)


class Presets:
    """Presets by name, one YAML file each; later folders replace those of earlier ones."""

    def __init__(self, *folders: Any) -> None:
        self._folders = folders

    @cached_property
    def all(self) -> dict[str, Preset]:
        """Every preset by its name."""
        found: dict[str, Preset] = {}
        for folder in self._folders:
            files = folder.iterdir() if folder.is_dir() else []
            for file in sorted((f for f in files if f.name.endswith(".yaml")), key=lambda f: str(f.name)):
                preset = _read(file)
                found[preset.name] = preset
        return found

    def get(self, name: str) -> Preset:
        """The preset called `name`.

        Raises:
            RequestError: there is none; the message names the nearest.
        """
        if name not in self.all:
            hint = nearest(name, list(self.all)) or "`wangp presets` lists them"
            raise RequestError("preset", f"there is no preset {name!r}", hint=hint)
        return self.all[name]


def _read(file: Any) -> Preset:
    data = read_yaml(file)
    if not isinstance(data, dict):
        raise ModelError(f"preset file {file} holds no mapping")
    try:
        return Preset.model_validate({"name": file.name.removesuffix(".yaml")} | data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"preset file {file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
