"""The flags of a task, in help order."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.task import Task

PANELS = (
    "Task",
    "Prompt",
    "Inputs",
    "Size and length",
    "Seams",
    "Guides",
    "Sampling",
    "Guidance",
    "Phases",
    "Diffusion forcing",
    "LoRA",
    "Output",
    "Runtime",
)
"""In the order of the help."""


def flags(task: type[Task]) -> Iterator[tuple[str, FieldInfo, Flag, str]]:
    """Yield (name, field, flag, panel) for every field that the command line shows."""
    return iter(sorted(_flags(task), key=lambda flag: PANELS.index(flag[3])))


def _flags(task: type[Task]) -> Iterator[tuple[str, FieldInfo, Flag, str]]:
    for name, field in task.model_fields.items():
        owner: type[Spec] = next(
            base for base in reversed(task.__mro__) if issubclass(base, Spec) and name in base.__annotations__
        )
        for mark in field.metadata:
            if isinstance(mark, Flag):
                yield name, field, mark, owner.panel


def flag_of(task: type[Task], field: str) -> Flag | None:
    """The flag of one field, if it has one."""
    return next((flag for name, _, flag, _ in flags(task) if name == field), None)
