"""The shell command that repeats a request."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wangp_cli.files.safe_text import quote_for_shell
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.flags import flags
from wangp_cli.tasks.task import Task


def command_of(request: Mapping[str, Any], origin: Mapping[str, Any], folder: Path) -> str | None:
    """One line for bash or zsh; None if this version cannot parse the request.

    A value is omitted only if it is the default of the task itself. Defaults of models, presets and settings
    may change, so they are spelled out.

    Args:
        request: as in the run history.
        origin: where each value came from.
        folder: what relative paths of inputs are relative to.
    """
    kind = request.get("type")
    if not isinstance(kind, str) or kind not in TASKS:
        return None
    try:
        task = TASKS[kind].model_validate(dict(request))
    except ValidationError:
        return None
    words = [word for name in _fields_to_give(task, request, origin) for word in _option(task, name, folder)]
    if kind == "generate" and words[:1] == ["--prompt"]:
        del words[0]
    return " ".join(["wangp", kind, *map(quote_for_shell, words)])


def _fields_to_give(task: Task, request: Mapping[str, Any], origin: Mapping[str, Any]) -> Iterator[str]:
    """Names of the fields that the command must give, the prompt first."""
    names = [name for name in _options(type(task)) if name in request]
    for name in sorted(names, key=lambda name: name != "prompt"):
        value, default = getattr(task, name), type(task).model_fields[name].default
        if value is not None and (value != default or origin.get(name) != "default"):
            yield name


@cache
def _options(task: type[Task]) -> dict[str, str]:
    """The long option of each field that has one."""
    return {name: flag.option(name) for name, _, flag, _ in flags(task)}


def _option(task: Task, name: str, folder: Path) -> list[str]:
    """The words of one field; a value that starts with `-` is joined to its option by `=`."""
    flag, value = _options(type(task))[name], getattr(task, name)
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    words = []
    for item in value if isinstance(value, tuple) else (value,):
        text = f"{item:.17g}" if isinstance(item, float) and item.is_integer() else str(item)
        if name in task.inputs():
            text = os.path.normpath(folder / text)
        words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return words
