"""Layers of values and where each value came from; named presets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wangp_cli.catalogue import read_yaml
from wangp_cli.errors import ModelError, RequestError, nearest

OWN = ("file", "line")
"""Layers that speak to one task alone."""


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
class MergedLayers:
    """The winning value of each field, and the name of the layer it came from."""

    values: dict[str, Any]
    origin: dict[str, str]
    checksums: dict[str, str]
    addresses: dict[str, str] = field(default_factory=dict)


def merge(layers: Iterable[Layer]) -> MergedLayers:
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
    return MergedLayers(values=values, origin=origin, checksums=checksums, addresses=addresses)


def said(origin: str) -> bool:
    """Whether a person chose the value for this very task, rather than a default, a setting or a preset."""
    return origin == "flag" or origin.startswith(OWN)


class NamedEntry(BaseModel):
    """What has a YAML file of its own, whose name it has."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    name: str
    title: str = ""
    description: str = ""


class Preset(NamedEntry):
    """A named look: values for any fields of a task."""

    values: dict[str, Any] = Field(min_length=1)


N = TypeVar("N", bound=NamedEntry)


class NamedEntries(Generic[N]):
    """Things by name, one YAML file each; later folders replace those of earlier ones.

    Args:
        kind: of thing.
        word: for it, and the field that takes its name.
        listing: the command that lists them.
        folders: of the files.
    """

    def __init__(self, kind: type[N], word: str, listing: str, *folders: Any) -> None:
        self._kind, self._word, self._listing, self._folders = kind, word, listing, folders

    @cached_property
    def all(self) -> dict[str, N]:
        """Every one by its name."""
        found: dict[str, N] = {}
        for folder in self._folders:
            files = folder.iterdir() if folder.is_dir() else []
            for file in sorted((f for f in files if f.name.endswith(".yaml")), key=lambda f: str(f.name)):
                one = self._read(file)
                found[one.name] = one
        return found

    def get(self, name: str) -> N:
        """The one called `name`.

        Raises:
            RequestError: there is none; the message names the nearest.
        """
        if name not in self.all:
            hint = nearest(name, list(self.all)) or f"`{self._listing}` lists them"
            raise RequestError(self._word, f"there is no {self._word} {name!r}", hint=hint)
        return self.all[name]

    def _read(self, file: Any) -> N:
        data = read_yaml(file)
        if not isinstance(data, dict):
            raise ModelError(f"{self._word} file {file} holds no mapping")
        try:
            return self._kind.model_validate({"name": file.name.removesuffix(".yaml")} | data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ModelError(f"{self._word} file {file}: {where}: {first['msg']}") from None


class Presets(NamedEntries[Preset]):
    """Presets by name."""

    def __init__(self, *folders: Any) -> None:
        super().__init__(Preset, "preset", "wangp presets", *folders)
