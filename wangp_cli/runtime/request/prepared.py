"""A request after its `prepare` hook: the better values take the place of the given ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from wangp_cli.runtime.request.request import Request
from wangp_cli.tasks.task import Task
from wangp_cli.value_layers import ENHANCED

R = TypeVar("R", bound=Request)


def prepared_request(request: R, task: Task) -> R:
    """The request with the task that `prepare` returned; what it changed has the origin `enhanced`.

    Raises:
        ValueError: the hook changed a field that is not one of `prepared_fields`, on which paths, sizes or
            plans may depend, or the task would be prepared again.
    """
    changed = changed_values(request.task, task)
    if foreign := changed.keys() - type(request.task).prepared_fields:
        raise ValueError(f"prepare of {request.task.type} changed {', '.join(sorted(foreign))}")
    if task.needs_preparing:
        raise ValueError(f"prepare of {request.task.type} gave a task that needs preparing again")
    return replace(request, task=task, origin={**request.origin, **dict.fromkeys(changed, ENHANCED)})


def changed_values(before: Task, after: Task) -> dict[str, Any]:
    """The values of `after` that differ from those of `before`, as JSON has them.

    Raises:
        ValueError: they are tasks of two types.
    """
    if type(before) is not type(after):
        raise ValueError(f"prepare of {before.type} gave a {type(after).__name__}")
    given = before.model_dump(mode="json")
    return {name: value for name, value in after.model_dump(mode="json").items() if value != given[name]}
