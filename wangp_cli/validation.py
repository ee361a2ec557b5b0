"""Say in plain words why a value is not valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_WANTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a number of this size",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "path_type": "a path",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
}
"""What is wanted, by the type of a fault in pydantic."""
LONGEST_VALUE = 80
"""Characters of a wrong value in a message."""


def fault_message(fault: Mapping[str, Any]) -> str:
    """What is wrong with a value, without the name of its field.

    Args:
        fault: one of `ValidationError.errors()` of pydantic.
    """
    value, kind, context = fault.get("input"), str(fault["type"]), fault.get("ctx", {})
    text = f"{_shown(value)}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
    match kind:
        case "value_error":
            text = str(context["error"])
        case "missing":
            text = "is needed"
        case "extra_forbidden":
            text = "there is no such key"
        case "greater_than_equal" | "greater_than":
            text = f"{value} is too small, must be {_limit(context)}"
        case "less_than_equal" | "less_than":
            text = f"{value} is too large, must be {_limit(context)}"
        case "literal_error":
            text = f"{_shown(value)} is not one of {context['expected'].replace(' or ', ', ')}"
        case "string_too_short" | "too_short":
            text = "is empty" if context["min_length"] == 1 else f"is shorter than {context['min_length']}"
        case "string_too_long" | "too_long":
            text = f"is longer than {context['max_length']}"
        case _ if kind in _WANTED:
            text = f"{_shown(value)} is not {_WANTED[kind]}"
    return text


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _limit(context: Mapping[str, Any]) -> str:
    return next(f"{word} {context[key]}" for key, word in _LIMITS.items() if key in context)
