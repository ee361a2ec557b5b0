"""NamedEntry presets: values for any fields of a task, one YAML file each."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wangp_cli.catalogue import read_yaml
from wangp_cli.errors import ModelError, RequestError, nearest


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
