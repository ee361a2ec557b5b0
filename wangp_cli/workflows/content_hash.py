"""A hash of values by their content, and what identifies weights."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from wangp_cli.pipelines.base import Weights


def content_hash(value: Any) -> str:
    """The sha256 of a value by its content: models, dataclasses, collections, arrays and plain values."""
    digest = hashlib.sha256()
    _feed(digest.update, value)
    return digest.hexdigest()


def _feed(add: Callable[[Any], None], value: Any) -> None:
    add(f"{type(value).__name__}(".encode())
    match value:
        case np.ndarray():
            add(f"{value.dtype} {value.shape}".encode())
            add(np.ascontiguousarray(value).data)
        case BaseModel():
            _feed(add, {name: getattr(value, name) for name in type(value).model_fields})
        case Mapping():
            for name in sorted(value):
                _feed(add, (name, value[name]))
        case list() | tuple() | frozenset():
            for item in sorted(value) if isinstance(value, frozenset) else value:
                _feed(add, item)
        case None | bool() | int() | float() | str() | Fraction() | Path() | date():
            add(repr(value).encode())
        case _ if dataclasses.is_dataclass(value):
            _feed(add, {field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
        case _:
            raise TypeError(f"no content is known of {type(value).__name__}")
    add(b")")


def file_identities(weights: Weights) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the files of weights, which are too large to be hashed."""
    files = [*sorted(weights.folder.rglob("*")), *(file for _, several in weights.files for file in several)]
    stats = [(file, file.stat()) for file in files if file.is_file()]
    return [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]
