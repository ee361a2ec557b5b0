"""The model catalogue, read from YAML files."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import Field, ValidationError

from wangp_cli.errors import ModelError, RequestError, nearest
from wangp_cli.models import NO_ARCHITECTURE, Accepts, ModelSpec
from wangp_cli.traits import Entry, Traits
from wangp_cli.validation import fault_message

T = TypeVar("T")
FILE_NAME = re.compile(r"[/\\]|\.(safetensors|sft|gguf|pth?|bin|ckpt|json)$", re.IGNORECASE)
"""Matches what is the name of a file, and of no model."""
MAX_YAML_BYTES = 1 << 20
MAX_YAML_DEPTH = 100
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml is ten times as fast as the loader in Python, but not every build of PyYAML has it."""


class Catalogue:
    """Models by name, read from YAML folders; later folders replace entries of earlier ones.

    Args:
        folders: folders of YAML files in rising priority.
        families: families with an adapter; a model of another family is an error. None allows all.
    """

    def __init__(self, *folders: Any, families: Collection[str] | None = None) -> None:
        self._folders = folders
        self._families = families

    @cached_property
    def models(self) -> dict[str, ModelSpec]:
        """Every model by its name, in catalogue order."""
        files = [_CatalogueFile.read(file) for folder in self._folders for file in _yaml_files(folder)]
        declared = _Declared.of(files, self._families)
        for file in files:
            file.check_family(declared)
        file_of = {name: file for file in files for name in file.models}
        return {name: file.model(name, declared) for name, file in file_of.items()}

    def get(self, name: str) -> ModelSpec:
        """The model with a name or alias.

        Raises:
            RequestError: there is none; the hint has the most similar name.
        """
        if name in self.models:
            return self.models[name]
        by_alias = {alias: spec for spec in self.models.values() for alias in spec.aliases}
        if name in by_alias:
            return by_alias[name]
        # The disk is not asked: a task line must not learn which files there are.
        hint = (
            f"`wangp models add NAME {name}` makes a model of weight files"
            if FILE_NAME.search(name)
            else nearest(name, [*self.models, *by_alias]) or "`wangp models` lists them"
        )
        raise RequestError("model", f"there is no model {name!r}", hint=hint)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names and aliases of all models."""
        return frozenset(name for spec in self.models.values() for name in (spec.name, *spec.aliases))

    def accepting(self, feature: Accepts) -> list[str]:
        """Names of the supported models that accept an input."""
        supported = (spec for spec in self.models.values() if spec.status != "unsupported")
        return [spec.name for spec in supported if feature in spec.accepts]


class _CatalogueFile(Entry):
    """One file of the catalogue, in which entries refer to others by name.

    Args:
        file: its path, for error messages.
        family: family of its models and architectures; "" if all its models are auxiliary networks.
        parts: published number of parameters by part, for all architectures of the family.
        vae: the VAE of all architectures of the family.
        architectures: traits by architecture of the family; each may replace `parts` and `vae`.
        networks: networks by name.
        models: models by name.
    """

    file: str
    family: str = ""
    parts: dict[str, int] = Field(default_factory=dict)
    vae: dict[str, Any] = Field(default_factory=dict)
    architectures: dict[str, dict[str, Any]] = Field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @classmethod
    def read(cls, file: Any) -> _CatalogueFile:
        """Read a catalogue file.

        Raises:
            ModelError: the file is not YAML, or has unknown keys.
        """
        data = read_yaml(file)
        try:
            return cls.model_validate({"file": str(file)} | data if isinstance(data, dict) else data)
        except ValidationError as error:
            raise _invalid(file, "models", error) from None

    def check_family(self, declared: _Declared) -> None:
        """Refuse a file of a family without an adapter.

        Raises:
            ModelError: the hint has the most similar family.
        """
        try:
            declared.check_family(self.family)
        except RequestError as error:
            raise ModelError(f"catalogue file {self.file}: {error}", hint=error.hint) from None

    def model(self, name: str, declared: _Declared) -> ModelSpec:
        """One of its models, with references to networks, sources and traits resolved.

        Raises:
            ModelError: the entry is invalid, or refers to something that does not exist.
        """
        entry = {"name": name, "family": self.family} | self.models[name]
        try:
            declared.check_family(entry["family"])
            if isinstance(network := entry.get("network"), str):
                entry["network"] = {"name": network} | _lookup(declared.networks, network, "network")
            source = entry.get("source")
            if isinstance(source, dict) and isinstance(model := source.get("components"), str):
                other = _lookup(declared.models, model, "model").get("source", {})
                entry["source"] = source | {"components": other.get("components", other)}
            spec = ModelSpec.model_validate(entry)
            if not spec.is_diffusion or spec.architecture == NO_ARCHITECTURE:
                return spec
            traits = _lookup(declared.traits.get(spec.family, {}), spec.architecture, "architecture")
            for part in spec.source.modules:
                _lookup(traits.parts, part, "part")
            return spec.model_copy(update={"traits": traits})
        except ValidationError as error:
            raise _invalid(self.file, name, error) from None
        except RequestError as error:
            raise ModelError(f"catalogue file {self.file}: {name}: {error}", hint=error.hint) from None

    def traits(self, name: str, parts: Mapping[str, int], vae: Mapping[str, Any]) -> Traits:
        """The traits of one of its architectures, with the `parts` and `vae` of the family."""
        own = self.architectures[name]
        try:
            common = {"parts": {**parts, **own.get("parts", {})}, "vae": {**vae, **own.get("vae", {})}}
            return Traits.model_validate(own | common)
        except (ValidationError, TypeError) as error:
            if isinstance(error, ValidationError):
                raise _invalid(self.file, name, error) from None
            raise ModelError(f"catalogue file {self.file}: {name}: parts and vae are tables") from None


@dataclass(frozen=True)
class _Declared:
    """Everything that models may refer to, from all files; later files replace names of earlier ones."""

    families: Collection[str] | None
    networks: dict[str, dict[str, Any]]
    models: dict[str, dict[str, Any]]
    traits: dict[str, dict[str, Traits]]

    @classmethod
    def of(cls, files: Sequence[_CatalogueFile], families: Collection[str] | None) -> _Declared:
        """The declarations in these files."""
        return cls(
            families=families,
            networks={name: entry for file in files for name, entry in file.networks.items()},
            models={name: entry for file in files for name, entry in file.models.items()},
            traits={
                family: _traits([file for file in files if file.family == family])
                for family in dict.fromkeys(file.family for file in files)
            },
        )

    def check_family(self, family: str) -> None:
        """Refuse a family without an adapter.

        Raises:
            RequestError: the hint has the most similar family.
        """
        if family and self.families is not None and family not in self.families:
            hint = nearest(family, list(self.families)) or None
            raise RequestError("family", f"there is no family {family!r}", hint=hint)


def _traits(files: Sequence[_CatalogueFile]) -> dict[str, Traits]:
    """The traits of the architectures that files of one family declare, by name."""
    parts = {part: count for file in files for part, count in file.parts.items()}
    vae = {key: value for file in files for key, value in file.vae.items()}
    return {name: file.traits(name, parts, vae) for file in files for name in file.architectures}


def _lookup(known: Mapping[str, T], name: str, what: str) -> T:
    if name not in known:
        raise RequestError(what, f"there is no {what} {name!r}", hint=nearest(name, list(known)) or None)
    return known[name]


def _invalid(file: Any, name: str, error: ValidationError) -> ModelError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return ModelError(f"catalogue file {file}: {name}: {where}: {fault_message(first)}")


def read_yaml(file: Any) -> Any:
    """Read an untrusted YAML file of at most `MAX_YAML_BYTES`.

    Raises:
        ModelError: the file cannot be read, is too large or nested too deeply, is not YAML, or has tags or
            anchors.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot read {file}: {error}") from None
    if len(text) > MAX_YAML_BYTES:
        raise ModelError(f"{file} has {len(text)} bytes, at most {MAX_YAML_BYTES} are read")
    try:
        _check_yaml_structure(text, file)
        return yaml.load(text, _LOADER)
    except (yaml.YAMLError, ValueError) as error:
        raise ModelError(f"{file} is not YAML: {str(error).splitlines()[0]}") from None


def _check_yaml_structure(text: str, file: Any) -> None:
    """Refuse anchors, and nesting that would overflow the stack of libyaml's composer."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if getattr(event, "anchor", None):
            raise ModelError(f"{file} uses anchors, which are not supported", hint="write the values out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_YAML_DEPTH:
            raise ModelError(f"{file} is nested too deeply")


def _yaml_files(folder: Any) -> list[Any]:
    if not folder.is_dir():
        return []
    yaml_files = [file for file in folder.iterdir() if file.name.endswith((".yaml", ".yml"))]
    return sorted(yaml_files, key=lambda file: str(file.name))


def presets_dir() -> Any:
    """The folder of shipped presets: inside the wheel, or at the root of a checkout."""
    packaged = files("wangp_cli") / "_presets"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[1] / "presets"
