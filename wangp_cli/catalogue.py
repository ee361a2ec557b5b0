"""The catalogue: which models there are, what they accept and where their weights come from."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wangp_cli.errors import ModelError, RequestError, nearest

Accepts = Literal["start", "end", "control", "mask", "references", "source", "audio", "lora", "negative"]
Architecture = Literal["t2v", "i2v", "flf2v", "vace"]
MAX_YAML_BYTES = 1 << 20


class Entry(BaseModel):
    """A part of the catalogue: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Grid(Entry):
    """The sizes and lengths a model can make.

    Args:
        step: frames come as a multiple of this plus one.
        minimum: fewest frames of a video.
        block: width and height are multiples of this.
    """

    step: int = 4
    minimum: int = 5
    block: int = 16

    def frames(self, count: int) -> int:
        """The count on the grid: `(count // step) * step + 1`; 1 stays 1, a picture."""
        return 1 if count <= 1 else max(self.minimum, count // self.step * self.step + 1)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Both sides floored to the block, at least one block."""
        return max(self.block, width // self.block * self.block), max(
            self.block, height // self.block * self.block
        )


class Source(Entry):
    """Where weights in diffusers layout are: on a hub, in a folder, or in a folder of this package."""

    repository: str | None = None
    revision: str | None = None
    folder: Path | None = None
    package: str | None = None


class ModelSpec(Entry):
    """One model of the catalogue."""

    name: str
    title: str
    family: Literal["wan"]
    architecture: Architecture
    aliases: tuple[str, ...] = ()
    description: str = ""
    source: Source
    accepts: frozenset[Accepts]
    requires: frozenset[Accepts] = frozenset()
    grid: Grid = Grid()
    defaults: dict[str, Any] = {}
    text_length: int = 512
    licence: str = "unknown"
    status: Literal["tested", "converted", "unsupported"] = "tested"
    status_note: str = ""


class Catalogue:
    """Models by name, read from YAML folders; later folders replace entries of earlier ones."""

    def __init__(self, *folders: Any) -> None:
        self._folders = folders

    @cached_property
    def models(self) -> dict[str, ModelSpec]:
        """Every model by its name, in catalogue order."""
        found: dict[str, ModelSpec] = {}
        for folder in self._folders:
            for file in sorted(_yaml_files(folder), key=lambda f: str(f.name)):
                found |= _read_family(file)
        return found

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
        return [spec.name for spec in self.models.values() if feature in spec.accepts]


class _Family(Entry):
    family: Literal["wan"]
    models: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]


def _read_family(file: Any) -> dict[str, ModelSpec]:
    found: dict[str, ModelSpec] = {}
    name = "models"
    try:
        family = _Family.model_validate(read_yaml(file))
        for name, entry in family.models.items():
            found[name] = ModelSpec.model_validate({"name": name, "family": family.family} | entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"catalogue file {file}: {name}: {where}: {first['msg'].lower()}") from None
    return found


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
    return [file for file in folder.iterdir() if file.name.endswith((".yaml", ".yml"))]


def presets_dir() -> Any:
    """Shipped presets: inside the wheel, or at the root of a checkout."""
    packaged = files("wangp_cli") / "_presets"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[1] / "presets"
