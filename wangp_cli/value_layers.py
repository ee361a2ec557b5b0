"""Layers of values for a task, merged so that the later layer wins, with the origin of each value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

LayerKind = Literal[
    "default",
    "settings",
    "environment",
    "model",
    "accelerator",
    "command",
    "preset",
    "latents",
    "file",
    "line",
    "flag",
    "run",
    "retry",
]
"""Sources of values: `file` is a settings file, `line` a line of a task file, `run` the runtime itself."""
OriginKind = LayerKind | Literal["input", "grid", "drawn", "enhanced", "machine"]
"""Besides layers: derived from an input file, rounded to the grid, drawn, set by a `prepare` hook, or limited
by what the machine can compute."""
SINGLE_TASK: tuple[OriginKind, ...] = ("file", "line")
"""Layers that describe one task, so that every value in them must be a field of it."""
EXPLICIT: tuple[OriginKind, ...] = (*SINGLE_TASK, "flag")


@dataclass(frozen=True)
class Origin:
    """Where a value of a task comes from.

    Args:
        kind: of the source, for programs.
        text: for people, in JSON and in messages: `flag`, `model vace_14B`, `snapped from 850x485`.
    """

    kind: OriginKind
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def is_explicit(self) -> bool:
        """Whether the user chose the value for this task, not a default, a setting, a model or a preset."""
        return self.kind in EXPLICIT


DEFAULT = Origin("default", "default")
"""The origin of a field's default value."""
ENHANCED = Origin("enhanced", "enhanced")
"""The origin of a value that a `prepare` hook put in the place of the given one."""
Origins = Mapping[str, Origin]
"""The origin of each value, by field name."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Values from one source; None is no value, zero is one.

    Args:
        kind: of the source.
        name: of the source among those of its kind, if there are several.
        values: by field name.
        checksums: sha256 that input files must have, by path as `values` has it.
        addresses: URLs that files were fetched from, by path as `values` has it.
        notices: what was changed or left out when the source was read, for people.
    """

    kind: LayerKind
    name: str = ""
    values: Mapping[str, Any]
    checksums: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    notices: Sequence[str] = ()

    @property
    def origin(self) -> Origin:
        """The origin of the layer's values."""
        return Origin(self.kind, f"{self.kind} {self.name}" if self.name else self.kind)


@dataclass(frozen=True, kw_only=True)
class MergedLayers:
    """The winning value of each field, its origin, and the notices of all layers."""

    values: dict[str, Any]
    origin: dict[str, Origin]
    checksums: dict[str, str]
    addresses: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def merge(layers: Iterable[Layer]) -> MergedLayers:
    """Merge layers, weakest first: a later layer's value wins, None never does."""
    values: dict[str, Any] = {}
    origin: dict[str, Origin] = {}
    checksums: dict[str, str] = {}
    addresses: dict[str, str] = {}
    notices: list[str] = []
    for layer in layers:
        checksums |= layer.checksums
        addresses |= layer.addresses
        notices += layer.notices
        given = {name: value for name, value in layer.values.items() if value is not None}
        values |= given
        origin |= dict.fromkeys(given, layer.origin)
    return MergedLayers(
        values=values, origin=origin, checksums=checksums, addresses=addresses, notices=notices
    )
