"""Engines: which network of the catalogue does a part of a task, or which method that needs no weights."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from wangp_cli.models import Kind

AUTO = "auto"
"""The best engine whose weights are on this machine."""
CLASSIC = "classic"
"""The usual name of a method that needs no weights."""
EngineName = Annotated[str, Field(min_length=1, max_length=128)]
"""`auto`, a built-in method, or the name of a model of the catalogue."""


class EngineChoice(NamedTuple):
    """The engines that a field may name.

    Args:
        kind: of the models of the catalogue.
        architectures: of the models that fit, the best first; empty allows all of the kind.
        builtin: name of the method that needs no weights; None if there is none.
        by_name_only: models are used only where they are named, as their results differ in kind.
    """

    kind: Kind
    architectures: tuple[str, ...] = ()
    builtin: str | None = None
    by_name_only: bool = False
