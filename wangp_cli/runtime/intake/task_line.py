"""A task as a line of a task file gives it, before it is resolved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.tasks.task import TASK_ID
from wangp_cli.value_layers import Layer, LayerKind


@dataclass(frozen=True, kw_only=True)
class TaskLine:
    """The values of one line of a task file, or the error of a line that cannot be read; one of them is None.

    Args:
        number: of the line in its file or of the item in its list, from 1; 0 for the file as a whole.
        source: the file's name, for origins.
        values: by field name, keys of older tools translated, paths of media and LoRA files absolute.
        error: why the line cannot be read.
        task_id: the id that the line gives its task, also where the line is wrong but its id can be read.
        checksums: sha256 that input files must have, by path as `values` has it.
        notices: keys that were ignored, as texts for people.
        given_as: the line's own key of a field, by field, where it differs.
        digest: sha256 of the line's JSON value; equal lines have equal digests.
    """

    number: int
    source: str
    values: dict[str, Any] | None = None
    error: RequestError | None = None
    task_id: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    given_as: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    def relabel(self, error: RequestError) -> RequestError:
        """The error with the line's own key in place of the field."""
        return error.named(self.given_as.get(error.field, error.field))

    def layer(self, values: Mapping[str, Any]) -> Layer:
        """A layer of values that this line gives, with its checksums and notices."""
        kind: LayerKind = "line" if self.number else "file"
        name = f"{self.number} of {self.source}" if self.number else self.source
        return Layer(kind=kind, name=name, values=values, checksums=self.checksums, notices=self.notices)


def digest_of(value: Any) -> str:
    """The sha256 of a JSON value, whatever the order of its keys; a path in it counts as its text."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def readable_id(value: Any) -> str | None:
    """The task id of a JSON value, if it has a valid one."""
    if not isinstance(value, dict):
        return None
    # Rows of a task database have it under `id`.
    name = value.get("task_id", value.get("id") if "params" in value else None)
    return name if isinstance(name, str) and TASK_ID.fullmatch(name) else None
