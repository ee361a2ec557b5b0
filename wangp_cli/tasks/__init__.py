"""Declarations of the tasks that users can request, as pydantic models; no I/O and no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from wangp_cli.imports import import_object

if TYPE_CHECKING:
    from wangp_cli.tasks.task import Task

_CLASSES = {
    "generate": "Generate",
    "travel": "Travel",
    "join": "Join",
    "edit": "Edit",
    "inpaint": "Inpaint",
    "preprocess": "Preprocess",
    "extract-frame": "ExtractFrame",
    "upscale": "Upscale",
    "rife": "Rife",
    "matanyone": "Matanyone",
}


TaskTypes: TypeAlias = Mapping[str, "type[Task]"]
"""Task classes by type."""


class _LazyTaskTypes(Mapping[str, "type[Task]"]):
    """Task classes by type, each imported from the module of its type when it is first looked up.

    A command that serves one type does not pay for the models of all.
    """

    def __getitem__(self, name: str) -> type[Task]:
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)

    def __contains__(self, name: object) -> bool:
        return name in _CLASSES


@cache
def _load(name: str) -> type[Task]:
    # Looked up before the import, so that an unknown type is a KeyError, as of any mapping.
    class_name = _CLASSES[name]
    task: type[Task] = import_object(f"wangp_cli.tasks.{name.replace('-', '_')}:{class_name}")
    return task


TASKS: TaskTypes = _LazyTaskTypes()
"""The task classes of wangp by their type; a session may have more."""
