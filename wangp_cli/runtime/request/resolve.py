"""From what was said to a settled task: layers merged, values checked, then settled for the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wangp_cli.accelerators import NO_ACCELERATOR
from wangp_cli.errors import RequestError, nearest
from wangp_cli.runtime.request.request import Request
from wangp_cli.runtime.request.settle import settle
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.flags import flag_of
from wangp_cli.tasks.render import Render
from wangp_cli.value_layers import DEFAULT, SINGLE_TASK, Layer, MergedLayers, Origins, merge

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.runtime.session import Session


def resolve(layers: Sequence[Layer], session: Session) -> Request:
    """Merge what was said onto the defaults and settle it.

    Raises:
        RequestError: a value is wrong, or the model cannot do what was asked; names the field and the fix.
        ConflictError: an output exists.
        NoSpaceError: the output folder cannot take the result.
    """
    said = merge(layers)
    try:
        return _resolve(said, layers, session)
    except RequestError as error:
        raise with_field_label(error, said.origin, _kind_of(said)) from None


def _resolve(said: MergedLayers, layers: Sequence[Layer], session: Session) -> Request:
    kind = str(said.values.get("type", "generate"))
    if kind not in TASKS:
        raise RequestError("type", f"there is no task {kind!r}", hint=nearest(kind, list(TASKS)))
    layers = [_about(TASKS[kind], layer) for layer in layers]
    settings = Layer(kind="settings", values=session.settings.task_values())
    if not (name := said.values.get("model") or session.settings.model):
        raise RequestError("model", "none is named", hint="name one; `wangp models` lists them")
    spec = session.catalogue.get(str(name))
    defaults = Layer(kind="default", values=_class_defaults(kind))
    model = _about(TASKS[kind], Layer(kind="model", name=spec.name, values=spec.defaults))
    merged = merge([defaults, settings, model, *_accelerated(TASKS[kind], layers, spec, session), *layers])
    origin = merged.origin | {
        field: session.settings_origin.get(field, DEFAULT)
        for field, origin in merged.origin.items()
        if origin.kind == "settings"
    }
    task = validate(merged, kind, origin)
    return settle(task, replace(merged, values={}, origin=origin), spec, session)


def _accelerated(
    task: type[Render], layers: Sequence[Layer], spec: ModelSpec, session: Session
) -> list[Layer]:
    """The numbers of the accelerator that is asked for, or that the model has; all but the model give way."""
    name = merge(layers).values.get("accelerator", spec.defaults.get("accelerator"))
    if not isinstance(name, str) or name == NO_ACCELERATOR:
        return []
    variant = session.accelerators.variant(name, spec)
    return [_about(task, Layer(kind="accelerator", name=name, values=variant.values))]


def _kind_of(said: MergedLayers) -> type[Render]:
    return TASKS.get(str(said.values.get("type")), TASKS["generate"])


def _about(task: type[Render], layer: Layer) -> Layer:
    """What a layer says about a task: models, presets and flags of a batch also speak to others."""
    # The classes of the other tasks are only imported where a name is not this task's own.
    if layer.kind in SINGLE_TASK or layer.values.keys() <= task.model_fields.keys():
        return layer
    foreign = _foreign(task)
    values = {name: value for name, value in layer.values.items() if name not in foreign}
    return replace(layer, values=values)


@cache
def _foreign(task: type[Render]) -> frozenset[str]:
    """Fields that only other tasks have."""
    return frozenset(name for other in TASKS.values() for name in other.model_fields) - set(task.model_fields)


@cache
def _class_defaults(kind: str) -> dict[str, Any]:
    fields = TASKS[kind].model_fields
    return {name: field.default for name, field in fields.items() if not field.is_required()}


def validate(merged: MergedLayers, kind: str, origin: Origins) -> Render:
    """The task of merged values.

    Raises:
        RequestError: for the first wrong value; the others are named after it.
    """
    try:
        return TASKS[kind].model_validate(merged.values)
    except ValidationError as error:
        faults = [_explain(fault, list(TASKS[kind].model_fields), origin) for fault in error.errors()]
        (field, message, hint), *rest = faults
        more = "".join(f"; {field_label(other, origin, TASKS[kind])}: {text}" for other, text, _ in rest)
        raise RequestError(field, message + more, hint=hint) from None


def field_label(field: str, origin: Origins, task: type[Render]) -> str:
    """How to name a field to the one who said it: the option for a flag, else the key."""
    flag = flag_of(task, field) if field in origin and origin[field].kind == "flag" else None
    return flag.option(field) if flag else field


def with_field_label(error: RequestError, origin: Origins, task: type[Render]) -> RequestError:
    """The same error, its field named as the one who said it knows it."""
    return error.named(field_label(error.field, origin, task))


def _explain(fault: Any, known: list[str], origin: Origins) -> tuple[str, str, str | None]:
    field = str(fault["loc"][0]) if fault["loc"] else ""
    value, context = fault.get("input"), fault.get("ctx", {})
    text = fault["msg"][:1].lower() + fault["msg"][1:]
    match fault["type"]:
        case "value_error":
            text = str(context["error"])
            if not field:
                # A rule about several fields names the first of them.
                field, _, text = text.partition(": ")
        case "missing":
            text = "is needed"
        case "extra_forbidden" if len(fault["loc"]) > 1:
            text = "there is no such key"
        case "extra_forbidden":
            return field, f"there is no such key ({origin[field]})", nearest(field, known) or None
        case "greater_than_equal" | "greater_than":
            text = f"{value!r} is too small, must be {_limit(fault)}"
        case "less_than_equal" | "less_than":
            text = f"{value!r} is too large, must be {_limit(fault)}"
        case "literal_error":
            text = f"{value!r} is not one of {context['expected'].replace(' or ', ', ')}"
        case "finite_number":
            text = f"{value!r} is not a finite number"
        case _:
            shown = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."
            text = f"{shown}: {text}"
    inner = [key for key in fault["loc"][1:] if isinstance(key, str)]
    # A number's place among alternatives is no key of ours.
    named = [key for key in inner if key.isidentifier()]
    return field, ": ".join([*named, text]), None


def _limit(fault: Any) -> str:
    context = fault["ctx"]
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return next(f"{words[key]} {context[key]}" for key in words if key in context)
