"""Parsers for values of old payloads: each returns the converted value or raises ValueError."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from wangp_cli.errors import RequestError, nearest

T = TypeVar("T")
ValueParser = Callable[[Any], T]
"""Converts a value; raises ValueError with the value seen and the value wanted."""
MAX_ITEMS = 1000
"""Largest number of items of a list."""


def quote_value(value: Any) -> str:
    """A value for a message, shortened; objects as JSON, also those in a list."""
    holds_object = isinstance(value, dict) or (isinstance(value, list) and any(map(_is_object, value)))
    text = json.dumps(value, default=str) if holds_object else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def any_value(value: Any) -> Any:
    """Any value, unchanged."""
    return value


def text(value: Any) -> str:
    """A text; null is an empty text."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{quote_value(value)} is no text")
    return value.strip()


def file_name(value: Any) -> str:
    """The path or URL of a file."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{quote_value(value)} names no file")
    return value


def whole_number(value: Any) -> int:
    """A whole number, 0 or more."""
    count = number(value)
    if count < 0 or count != int(count):
        raise ValueError(f"{quote_value(value)} is no whole number from 0 on")
    return int(count)


def integer(value: Any) -> int:
    """A whole number of either sign."""
    count = number(value)
    if count != int(count):
        raise ValueError(f"{quote_value(value)} is no whole number")
    return int(count)


def number(value: Any) -> float | int:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{quote_value(value)} is no number")
    return value


def boolean(value: Any) -> bool:
    """A boolean; 0 and 1 count as well."""
    if value not in (True, False):
        raise ValueError(f"{quote_value(value)} is neither true nor false")
    return bool(value)


def size(value: Any) -> str:
    """`WIDTHxHEIGHT`, or a list of two numbers."""
    if isinstance(value, list) and len(value) == 2:
        return f"{whole_number(value[0])}x{whole_number(value[1])}"
    if isinstance(value, str) and re.fullmatch(r"\s*\d+\s*[xX*]\s*\d+\s*", value):
        return value
    raise ValueError(f"{quote_value(value)} is no WIDTHxHEIGHT, such as '832x480'")


def one_of(*words: str) -> ValueParser[str]:
    """A parser for one of these words."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"{quote_value(value)} is not one of {', '.join(words)}")
        return value

    return parse


def list_of(parse: ValueParser[T]) -> ValueParser[list[T]]:
    """A parser for a list; a single value is a list of one."""

    def each(value: Any) -> list[T]:
        if not isinstance(value, list):
            return [parse(value)]
        if len(value) > MAX_ITEMS:
            raise ValueError(f"{len(value)} values, at most {MAX_ITEMS} are read")
        return [_numbered(parse, item, number) for number, item in enumerate(value, start=1)]

    return each


def _numbered(parse: ValueParser[T], value: Any, number: int) -> T:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"item {number}: {error}") from None


def object_of(
    ignored: frozenset[str] = frozenset(), **parsers: ValueParser[Any]
) -> ValueParser[dict[str, Any]]:
    """A parser for an object with these keys; null values and ignored keys are dropped."""

    def each(value: Any) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for key, item in json_object(value).items():
            if item is None or key in ignored:
                continue
            if key not in parsers:
                hint = nearest(key, list(parsers))
                raise ValueError(f"{quote_value(key)} is no key of it" + (f", {hint}" if hint else ""))
            try:
                entries[key] = parsers[key](item)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
        return entries

    return each


def json_object(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise ValueError(f"{quote_value(value)} is no object")
    return value


def parse_value(key: str, parse: ValueParser[T], value: Any) -> T:
    """Parse the value of a key.

    Raises:
        RequestError: naming the key.
    """
    try:
        return parse(value)
    except ValueError as error:
        raise RequestError(key, str(error)) from None
