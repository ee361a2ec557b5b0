"""The flags of a task or of the options of a command, in help order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from pydantic.fields import FieldInfo

from wangp_cli.tasks.fields import Flag, Spec

PANELS = (
    "Task",
    "Prompt",
    "Inputs",
    "Size and length",
    "Seams",
    "Guides",
    "Control pictures",
    "Sampling",
    "Guidance",
    "Phases",
    "Diffusion forcing",
    "Camera",
    "LoRA",
    "Finishing",
    "Output",
    "Runtime",
    "Batch",
    "Command",
)
"""In the order of the help."""


def flags(spec: type[Spec]) -> Iterator[tuple[str, FieldInfo, Flag, str]]:
    """Yield (name, field, flag, panel) for every field that has an option, in the order of the help."""
    return iter(sorted(_flags(spec), key=lambda flag: PANELS.index(flag[3])))


def _flags(spec: type[Spec]) -> Iterator[tuple[str, FieldInfo, Flag, str]]:
    for name, field in spec.model_fields.items():
        owner: type[Spec] = next(
            base for base in reversed(spec.__mro__) if issubclass(base, Spec) and name in base.__annotations__
        )
        for mark in field.metadata:
            if isinstance(mark, Flag):
                yield name, field, mark, owner.panel


def flag_of(spec: type[Spec], field: str) -> Flag | None:
    """The flag of one field, if it has one."""
    return next((flag for name, _, flag, _ in flags(spec) if name == field), None)


@cache
def names_of_flags(spec: type[Spec]) -> Mapping[str, str]:
    """The field of each name that a flag has beside the field's own, such as `image` for `images`."""
    return {name: field for field, _, flag, _ in flags(spec) for name in (flag.name, *flag.aliases) if name}
