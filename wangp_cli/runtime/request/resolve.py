"""Resolve layers of values to a settled request: merge, validate, settle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wangp_cli.accelerators import NO_ACCELERATOR
from wangp_cli.errors import RequestError, nearest
from wangp_cli.runtime.request.request import Request
from wangp_cli.runtime.request.settle import settle
from wangp_cli.tasks.flags import flag_of
from wangp_cli.tasks.task import Task
from wangp_cli.validation import fault_message
from wangp_cli.value_layers import DEFAULT, SINGLE_TASK, Layer, MergedLayers, Origins, merge

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.runtime.session import Session

PATH_FIELDS = ("output", "output_dir")
"""Fields of every task that hold paths, besides inputs."""
DEFAULT_TYPE = "generate"
"""The task type where no layer has one."""


def resolve(layers: Sequence[Layer], session: Session) -> Request:
    """Merge layers over the defaults, validate the task and settle it.

    Args:
        layers: given ones, the weakest first; those of defaults, settings, model and accelerator come below.
        session: has the settings, the catalogue and the task types.

    Raises:
        RequestError: a value is wrong, or the model does not support it; names the field as the user gave it.
        ConflictError: an output exists.
        NoSpaceError: the output folder cannot take the result.
    """
    given = merge(layers)
    try:
        return _resolve(given, layers, session)
    except RequestError as error:
        task_type = session.tasks.get(str(given.values.get("type", DEFAULT_TYPE)))
        raise (with_field_label(error, given.origin, task_type) if task_type else error) from None


def _resolve(given: MergedLayers, layers: Sequence[Layer], session: Session) -> Request:
    name = str(given.values.get("type", DEFAULT_TYPE))
    if name not in session.tasks:
        raise RequestError("type", f"there is no task {name!r}", hint=nearest(name, list(session.tasks)))
    task_type = session.tasks[name]
    defaults = Layer(kind="default", values=_class_defaults(task_type))
    settings = Layer(kind="settings", values=session.settings.task_values())
    spec = _find_model(task_type, given, session)
    base = [settings, *_model_layers(task_type, layers, spec, session)]
    merged = merge(
        [defaults, *(_without_foreign_fields(task_type, layer, session) for layer in [*base, *layers])]
    )
    origin = merged.origin | {
        field: session.settings_origin.get(field, DEFAULT)
        for field, origin in merged.origin.items()
        if origin.kind == "settings"
    }
    task = validate(merged, task_type, origin)
    return settle(task, replace(merged, values={}, origin=origin), session)


def _find_model(task_type: type[Task], given: MergedLayers, session: Session) -> ModelSpec | None:
    """The model that the field `model` names, or the settings; None for a task without that field."""
    if (field := task_type.model_fields.get("model")) is None:
        return None
    usual = session.settings.model if field.is_required() else field.default
    if not (name := given.values.get("model") or usual):
        raise RequestError("model", "none is named", hint="name one; `wangp models` lists them")
    if not isinstance(name, str):
        raise RequestError("model", "the name of a model is wanted", hint="`wangp models` lists them")
    return session.catalogue.get(name)


def _model_layers(
    task_type: type[Task], layers: Sequence[Layer], spec: ModelSpec | None, session: Session
) -> list[Layer]:
    """The layers of the model and, above it, of the accelerator."""
    if spec is None:
        return []
    of_model = Layer(kind="model", name=spec.name, values=task_type.model_defaults(spec))
    if "accelerator" not in task_type.model_fields:
        return [of_model]
    return [of_model, *_accelerator_layers(layers, spec, session)]


def _accelerator_layers(layers: Sequence[Layer], spec: ModelSpec, session: Session) -> list[Layer]:
    """The layer of the accelerator that is given, or that the model has by default."""
    name = merge(layers).values.get("accelerator", spec.defaults.get("accelerator"))
    if not isinstance(name, str) or name == NO_ACCELERATOR:
        return []
    variant = session.accelerators.variant(name, spec)
    return [Layer(kind="accelerator", name=name, values=variant.values)]


def _without_foreign_fields(task_type: type[Task], layer: Layer, session: Session) -> Layer:
    """A layer without fields that only other tasks have: models, presets and batch flags set such."""
    # Other task classes are imported only if the layer has a name that is no field of this task.
    if layer.kind in SINGLE_TASK or layer.values.keys() <= task_type.model_fields.keys():
        return layer
    foreign = _fields_of_others(task_type, tuple(session.tasks.values()))
    values = {name: value for name, value in layer.values.items() if name not in foreign}
    return replace(layer, values=values)


@cache
def _fields_of_others(task_type: type[Task], others: tuple[type[Task], ...]) -> frozenset[str]:
    """Fields that only other tasks have."""
    fields = frozenset(name for other in others for name in other.model_fields)
    return fields - set(task_type.model_fields)


@cache
def _class_defaults(task_type: type[Task]) -> dict[str, Any]:
    fields = task_type.model_fields
    return {name: field.default for name, field in fields.items() if not field.is_required()}


def validate(merged: MergedLayers, task_type: type[Task], origin: Origins) -> Task:
    """Validate merged values as a task.

    Raises:
        RequestError: names the first key that is no field, else the field of the first wrong value; its
            message goes on with the others.
    """
    try:
        return task_type.model_validate(_with_foreign_paths(merged.values, task_type))
    except ValidationError as error:
        # A misspelt key first: it tells why the field that was meant is missing.
        errors = sorted(error.errors(), key=lambda fault: not _is_given_key(fault, origin))
        faults = [_explain(fault, list(task_type.model_fields), origin) for fault in errors]
        (field, message, hint), *rest = faults
        more = "".join(f"; {field_label(other, origin, task_type)}: {text}" for other, text, _ in rest)
        raise RequestError(field, message + more, hint=hint) from None


def _is_given_key(fault: Mapping[str, Any], origin: Origins) -> bool:
    """Whether it is a key that the user gave and the task does not have."""
    return fault["type"] == "extra_forbidden" and origin[str(fault["loc"][0])].is_explicit


def _with_foreign_paths(values: Mapping[str, Any], task_type: type[Task]) -> dict[str, Any]:
    """Values with paths in place of texts that are not UTF-8, which pydantic takes for no path."""
    changed = {
        field: _as_path(values[field])
        for field in (*task_type.inputs(), *PATH_FIELDS)
        if values.get(field) is not None
    }
    return {**values, **changed}


def _as_path(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_path(item) for item in value]
    if isinstance(value, str) and any("\udc80" <= letter <= "\udcff" for letter in value):
        return Path(value)
    return value


def field_label(field: str, origin: Origins, task: type[Task]) -> str:
    """The name of a field as the user gave it, or would give it: the key of a document, else the option."""
    documents = any(each.kind in SINGLE_TASK for each in origin.values())
    kind = origin[field].kind if field in origin else "default"
    is_key = kind in SINGLE_TASK or (documents and kind != "flag")
    flag = None if is_key else flag_of(task, field)
    return flag.option(field) if flag else field


def with_field_label(error: RequestError, origin: Origins, task: type[Task]) -> RequestError:
    """The same error with its field named as the user gave it."""
    return error.named(field_label(error.field, origin, task))


def _explain(fault: Any, known: list[str], origin: Origins) -> tuple[str, str, str | None]:
    """The field of a fault, its message, and a hint."""
    place = fault["loc"]
    field, text = str(place[0]) if place else "", fault_message(fault)
    if fault["type"] == "extra_forbidden" and len(place) == 1:
        return field, f"{text} ({origin[field]})", nearest(field, known) or None
    if not field:
        # A rule about several fields names the first of them.
        field, _, text = text.partition(": ")
    inner = [key for key in place[1:] if isinstance(key, str)]
    # pydantic also lists the members of a union that it tried.
    named = [key for key in inner if key.isidentifier()]
    return field, ": ".join([*named, text]), None
