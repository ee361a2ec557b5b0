"""The catalogue: which models there are, read from YAML."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from wangp_cli.errors import ModelError, RequestError, nearest
from wangp_cli.models import Accepts, Entry, ModelSpec

MAX_YAML_BYTES = 1 << 20


class Catalogue:
    """Models by name, read from YAML folders; later folders replace entries of earlier ones."""

    def __init__(self, *folders: Any) -> None:
        self._folders = folders

    @cached_property
    def models(self) -> dict[str, ModelSpec]:
        """Every model by its name, in catalogue order."""
        files = [_Family.read(file) for folder in self._folders for file in _yaml_files(folder)]
        networks = {name: entry for file in files for name, entry in file.networks.items()}
        entries = {name: entry for file in files for name, entry in file.models.items()}
        of = {name: file for file in files for name in file.models}
        return {name: of[name].model(name, networks, entries) for name in entries}

    def get(self, name: str) -> ModelSpec:
        """The model called `name`, or with that alias.

        Raises:
            RequestError: there is none; the message names the nearest.
        """
        if name in self.models:
            return self.models[name]
        by_alias = {alias: spec for spec in self.models.values() for alias in spec.aliases}
        if name in by_alias:
            return by_alias[name]
        hint = nearest(name, [*self.models, *by_alias]) or "`wangp models` lists them"
        raise RequestError("model", f"there is no model {name!r}", hint=hint)

    def accepting(self, feature: Accepts) -> list[str]:
        """Names of the models that accept an input."""
        served = (spec for spec in self.models.values() if spec.status != "unsupported")
        return [spec.name for spec in served if feature in spec.accepts]


class _Family(Entry):
    """One file of the catalogue, with names where other entries are meant."""

    file: str
    family: Literal["wan"]
    networks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @classmethod
    def read(cls, file: Any) -> _Family:
        """The content of a catalogue file."""
        data = read_yaml(file)
        try:
            return cls.model_validate({"file": str(file)} | data if isinstance(data, dict) else data)
        except ValidationError as error:
            raise _fault(file, "models", error) from None

    def model(
        self, name: str, networks: dict[str, dict[str, Any]], entries: dict[str, dict[str, Any]]
    ) -> ModelSpec:
        """One of its models, with the networks and sources that it names put in their places."""
        entry = {"name": name, "family": self.family} | entries[name]
        try:
            if isinstance(named := entry.get("network"), str):
                entry["network"] = {"name": named} | _named(networks, named, "network")
            source = entry.get("source")
            if isinstance(source, dict) and isinstance(named := source.get("components"), str):
                other = _named(entries, named, "model").get("source", {})
                entry["source"] = source | {"components": other.get("components", other)}
            return ModelSpec.model_validate(entry)
        except ValidationError as error:
            raise _fault(self.file, name, error) from None
        except RequestError as error:
            raise ModelError(f"catalogue file {self.file}: {name}: {error}", hint=error.hint) from None


def _named(known: dict[str, dict[str, Any]], name: str, what: str) -> dict[str, Any]:
    if name not in known:
        raise RequestError(what, f"there is no {what} {name!r}", hint=nearest(name, list(known)) or None)
    return known[name]


def _fault(file: Any, name: str, error: ValidationError) -> ModelError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return ModelError(f"catalogue file {file}: {name}: {where}: {message[:1].lower()}{message[1:]}")


def read_yaml(file: Any) -> Any:
    """The data of a small YAML file; tags and anchors are refused.

    Raises:
        ModelError: the file is too large, not YAML, or uses anchors.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot read {file}: {error}") from None
    if len(text) > MAX_YAML_BYTES:
        raise ModelError(f"{file} has {len(text)} bytes, at most {MAX_YAML_BYTES} are read")
    try:
        if any(isinstance(token, yaml.AnchorToken | yaml.AliasToken) for token in yaml.scan(text)):
            raise ModelError(f"{file} uses anchors, which are not read", hint="write the values out")
        return yaml.safe_load(text)
    except RecursionError:
        raise ModelError(f"{file} is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ModelError(f"{file} is not YAML: {str(error).splitlines()[0]}") from None


def _yaml_files(folder: Any) -> list[Any]:
    if not folder.is_dir():
        return []
    found = [file for file in folder.iterdir() if file.name.endswith((".yaml", ".yml"))]
    return sorted(found, key=lambda file: str(file.name))


def presets_dir() -> Any:
    """Shipped presets: inside the wheel, or at the root of a checkout."""
    packaged = files("wangp_cli") / "_presets"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[1] / "presets"
