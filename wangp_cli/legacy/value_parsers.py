"""The forms that values of old payloads have: each gives the value in ours, or says what is wanted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from wangp_cli.errors import RequestError, nearest

T = TypeVar("T")
ValueParser = Callable[[Any], T]
"""Gives a value in our form; raises ValueError with what is wrong."""
MAX_ITEMS = 1000
"""Items of one list."""


def quote_value(value: Any) -> str:
    """A value as it is shown in a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def any_value(value: Any) -> Any:
    """Anything, as it is."""
    return value


def text(value: Any) -> str:
    """A text; null is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{quote_value(value)} is no text")
    return value.strip()


def file_name(value: Any) -> str:
    """The name or the address of a file."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{quote_value(value)} names no file")
    return value


def whole_number(value: Any) -> int:
    """A whole number, 0 or more."""
    found = number(value)
    if found < 0 or found != int(found):
        raise ValueError(f"{quote_value(value)} is no whole number from 0 on")
    return int(found)


def number(value: Any) -> float | int:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{quote_value(value)} is no number")
    return value


def boolean(value: Any) -> bool:
    """True or false."""
    if value not in (True, False):
        raise ValueError(f"{quote_value(value)} is neither true nor false")
    return bool(value)


def size(value: Any) -> str:
    """`WIDTHxHEIGHT`, also from a list of two numbers."""
    if isinstance(value, list) and len(value) == 2:
        return f"{whole_number(value[0])}x{whole_number(value[1])}"
    if isinstance(value, str) and re.fullmatch(r"\s*\d+\s*[xX*]\s*\d+\s*", value):
        return value
    raise ValueError(f"{quote_value(value)} is no WIDTHxHEIGHT, such as '832x480'")


def one_of(*words: str) -> ValueParser[str]:
    """One of these words."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"{quote_value(value)} is not one of {', '.join(words)}")
        return value

    return parse


def list_of(parse: ValueParser[T]) -> ValueParser[list[T]]:
    """A list; a single value is a list of one."""

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
    """An object of these keys; those that are null or not there are left out."""

    def each(value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in json_object(value).items():
            if item is None or key in ignored:
                continue
            if key not in parsers:
                hint = nearest(key, list(parsers))
                raise ValueError(f"{quote_value(key)} is no key of it" + (f", {hint}" if hint else ""))
            try:
                found[key] = parsers[key](item)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
        return found

    return each


def json_object(value: Any) -> dict[str, Any]:
    """An object."""
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
