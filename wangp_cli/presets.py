"""Presets: named values for any fields of a task, one YAML file each."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wangp_cli.catalogue import read_yaml
from wangp_cli.errors import ModelError, RequestError, nearest
from wangp_cli.validation import fault_message


class NamedEntry(BaseModel):
    """An entry that is a YAML file, named by its file name without suffix."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    name: str
    title: str = ""
    description: str = ""


class Preset(NamedEntry):
    """Named values for any fields of a task."""

    values: dict[str, Any] = Field(min_length=1)


N = TypeVar("N", bound=NamedEntry)


class NamedEntries(Generic[N]):
    """Entries by name, one YAML file each; a file replaces one of the same name in an earlier folder.

    Args:
        kind: class of the entries.
        field: the task field whose value is the name of an entry; error messages use it for the entry.
        listing: command that lists the entries, for hints.
        folders: folders of YAML files in rising priority; folders that do not exist are skipped.
    """

    def __init__(self, kind: type[N], field: str, listing: str, *folders: Any) -> None:
        self._kind, self._field, self._listing, self._folders = kind, field, listing, folders

    @cached_property
    def all(self) -> dict[str, N]:
        """All entries by name."""
        entries: dict[str, N] = {}
        for folder in self._folders:
            files = folder.iterdir() if folder.is_dir() else []
            for file in sorted((f for f in files if f.name.endswith(".yaml")), key=lambda f: str(f.name)):
                entry = self._read(file)
                entries[entry.name] = entry
        return entries

    def get(self, name: str) -> N:
        """The entry called `name`.

        Raises:
            RequestError: there is none; the hint has the most similar name.
        """
        if name not in self.all:
            hint = nearest(name, list(self.all)) or f"`{self._listing}` lists them"
            raise RequestError(self._field, f"there is no {self._field} {name!r}", hint=hint)
        return self.all[name]

    def _read(self, file: Any) -> N:
        data = read_yaml(file)
        if not isinstance(data, dict):
            raise ModelError(f"{self._field} file {file} is not a mapping")
        try:
            return self._kind.model_validate({"name": file.name.removesuffix(".yaml")} | data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ModelError(f"{self._field} file {file}: {where}: {fault_message(first)}") from None


class Presets(NamedEntries[Preset]):
    """Presets by name."""

    def __init__(self, *folders: Any) -> None:
        super().__init__(Preset, "preset", "wangp presets", *folders)
