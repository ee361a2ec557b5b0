"""Paths in task files: the fields that hold paths, and how relative paths are resolved."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from wangp_cli.tasks import TASKS, TaskTypes
from wangp_cli.tasks.task import Output, Task

_URL = re.compile(r"\s*([a-z][a-z0-9+.-]*://|(https?|ftps?|file|data|blob|ipfs|s3|gs|hf):)", re.IGNORECASE)
_STRENGTH = re.compile(r"@[^@/\\]*$")


def media_fields(tasks: TaskTypes = TASKS) -> frozenset[str]:
    """Every field of any of these tasks that names input files."""
    return _media_fields(*tasks.values())


@cache
def _media_fields(*tasks: type[Task]) -> frozenset[str]:
    return frozenset(
        name
        for task in tasks
        for name, field in task.model_fields.items()
        if name not in Output.model_fields and _holds_path(field.annotation)
    )


def _holds_path(annotation: Any) -> bool:
    return annotation is Path or any(_holds_path(part) for part in get_args(annotation))


def is_url(name: str) -> bool:
    """Whether a name is a URL and not a path."""
    return bool(_URL.match(name))


def absolute(
    values: Mapping[str, Any], folder: Path, tasks: TaskTypes = TASKS, *, loras_here: bool = True
) -> dict[str, Any]:
    """Values with media and LoRA paths joined to `folder`; URLs and bare LoRA names stay.

    Args:
        values: by field.
        folder: that paths are relative to.
        tasks: the task types, whose fields may hold paths.
        loras_here: a bare LoRA name is a path if `folder` has such a file.
    """
    resolved = dict(values)
    for field in media_fields(tasks) & resolved.keys():
        resolved[field] = _map_texts(resolved[field], lambda name: join(name, folder))
    if "loras" in resolved:
        resolved["loras"] = _map_texts(
            resolved["loras"], lambda lora: _lora_path(lora, folder, here=loras_here)
        )
    return resolved


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value) if value else value
    if isinstance(value, list | tuple):
        return [change(item) if isinstance(item, str) and item else item for item in value]
    return value


def join(name: str, folder: Path) -> str:
    """`name` as an absolute path; `~` is the user's home."""
    if is_url(name):
        return name
    if name.startswith("~/"):
        name = os.path.expanduser(name)  # noqa: PTH111 - `~user` stays a plain name
    return os.path.normpath(folder / name)


def _lora_path(lora: str, folder: Path, *, here: bool) -> str:
    name, strength = split_lora(lora)
    if is_url(name):
        return lora
    path = join(name, folder)
    exists = here and os.path.exists(path)  # noqa: PTH110 - a NUL is no file
    is_path = exists or name.startswith(("/", "./", "../", "~/"))
    return path + strength if is_path else lora


def split_lora(lora: str) -> tuple[str, str]:
    """The path, and `@STRENGTH` or an empty text."""
    match = _STRENGTH.search(lora)
    return (lora[: match.start()], match[0]) if match else (lora, "")


def named_files(values: Mapping[str, Any], tasks: TaskTypes = TASKS) -> Iterator[tuple[str, str]]:
    """The (field, path) pairs of the media files that values name."""
    for field in sorted(media_fields(tasks) & values.keys()):
        value = values[field]
        for name in value if isinstance(value, list | tuple) else [value]:
            if isinstance(name, str | Path) and str(name):
                yield field, str(name)
