"""Rename the keys of older tools to fields, and drop those that ask for nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.documents import DocumentKind, is_wangp_type
from wangp_cli.legacy.old_keys import (
    ACCELERATORS,
    IGNORED,
    NEUTRAL,
    NEUTRAL_HINTS,
    ONLY_OLD_KEYS,
    READ_ELSEWHERE,
    RENAMED,
    RENAMED_VALUES,
    SERVED_WORDS,
)
from wangp_cli.legacy.task_types import is_old_type, task_type_of, to_generate_task
from wangp_cli.legacy.value_parsers import quote_value
from wangp_cli.tasks import TaskTypes
from wangp_cli.tasks.flags import names_of_flags


def is_foreign(settings: Mapping[str, Any], kind: DocumentKind) -> bool:
    """Whether values are read as those of WanGP and the older worker; one of their keys is enough."""
    return kind in ("wangp", "worker") or bool(settings.keys() & ONLY_OLD_KEYS)


def rename_keys(
    settings: Mapping[str, Any], kind: DocumentKind, tasks: TaskTypes, task: str = "generate"
) -> tuple[dict[str, Any], dict[str, str]]:
    """Rename keys, also those that have the name of a flag in a document of wangp.

    Args:
        settings: of a task.
        kind: the tool that the document is of.
        tasks: the task types.
        task: type of a document without a type.

    Returns:
        values by field, and the key by which each renamed field was given.
    """
    name = task_type_of(settings)
    known_fields = tasks[name].model_fields if name in tasks else {}
    own_type = tasks.get(name or task) if kind == "own" else None
    of_flags = names_of_flags(own_type) if own_type else {}
    fields: dict[str, Any] = {}
    given_as: dict[str, str] = {}
    for key, old_value in settings.items():
        value = _renamed_value(key, old_value)
        if value is None or key in READ_ELSEWHERE or key in ACCELERATORS:
            continue
        if key in known_fields:
            _set(key, key, value, fields, given_as)
        elif key in of_flags:
            _set(of_flags[key], key, value, fields, given_as)
        elif key in IGNORED and kind != "own":
            continue
        elif key in NEUTRAL:
            _check_served(key, value, NEUTRAL[key])
        elif key == "base_model_type":
            fields.setdefault("model", value)
            given_as.setdefault("model", key)
        elif key != "type" or not is_wangp_type(value):
            if key in SERVED_WORDS and kind != "own":
                _check_served(key, value, SERVED_WORDS[key])
            _set(RENAMED.get(key, key), key, value, fields, given_as)
    if is_old_type(name):
        fields = to_generate_task(name, fields)
    return fields, {field: key for field, key in given_as.items() if field != key}


def _check_served(key: str, value: Any, served: Collection[Any]) -> None:
    if value not in served:
        raise RequestError(
            key, f"{quote_value(value)} is not served", hint=NEUTRAL_HINTS.get(key, f"leave {key} out")
        )


def _set(name: str, key: str, value: Any, fields: dict[str, Any], given_as: dict[str, str]) -> None:
    other = given_as.get(name)
    if other and other != "base_model_type" and fields[name] != value:
        raise RequestError(key, f"{quote_value(value)}, but {other} says {quote_value(fields[name])}")
    fields[name], given_as[name] = value, key


def _renamed_value(key: str, value: Any) -> Any:
    known = key in RENAMED_VALUES and isinstance(value, str | int | float) and value in RENAMED_VALUES[key]
    return RENAMED_VALUES[key][value] if known else value
