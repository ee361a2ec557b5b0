"""The forms that values of old payloads have: each gives the value in ours, or says what is wanted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from wangp_cli.errors import nearest

T = TypeVar("T")
Form = Callable[[Any], T]
"""Gives a value in our form; raises ValueError with what is wrong."""
MOST = 1000
"""Items of one list."""


def short(value: Any) -> str:
    """A value as it is shown in a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def raw(value: Any) -> Any:
    """Anything, as it is."""
    return value


def text(value: Any) -> str:
    """A text; null is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{short(value)} is no text")
    return value.strip()


def file(value: Any) -> str:
    """The name or the address of a file."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{short(value)} names no file")
    return value


def whole(value: Any) -> int:
    """A whole number, 0 or more."""
    found = number(value)
    if found < 0 or found != int(found):
        raise ValueError(f"{short(value)} is no whole number from 0 on")
    return int(found)


def number(value: Any) -> float | int:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{short(value)} is no number")
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if value not in (True, False):
        raise ValueError(f"{short(value)} is neither true nor false")
    return bool(value)


def size(value: Any) -> str:
    """`WIDTHxHEIGHT`, also from a list of two numbers."""
    if isinstance(value, list) and len(value) == 2:
        return f"{whole(value[0])}x{whole(value[1])}"
    if isinstance(value, str) and re.fullmatch(r"\s*\d+\s*[xX*]\s*\d+\s*", value):
        return value
    raise ValueError(f"{short(value)} is no WIDTHxHEIGHT, such as '832x480'")


def one_of(*words: str) -> Form[str]:
    """One of these words."""

    def form(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"{short(value)} is not one of {', '.join(words)}")
        return value

    return form


def many(form: Form[T]) -> Form[list[T]]:
    """A list; a single value is a list of one."""

    def each(value: Any) -> list[T]:
        if not isinstance(value, list):
            return [form(value)]
        if len(value) > MOST:
            raise ValueError(f"{len(value)} values, at most {MOST} are read")
        return [_numbered(form, item, number) for number, item in enumerate(value, start=1)]

    return each


def _numbered(form: Form[T], value: Any, number: int) -> T:
    try:
        return form(value)
    except ValueError as error:
        raise ValueError(f"item {number}: {error}") from None


def entry(ignored: frozenset[str] = frozenset(), **forms: Form[Any]) -> Form[dict[str, Any]]:
    """An object of these keys; those that are null or not there are left out."""

    def each(value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in table(value).items():
            if item is None or key in ignored:
                continue
            if key not in forms:
                hint = nearest(key, list(forms))
                raise ValueError(f"{short(key)} is no key of it" + (f", {hint}" if hint else ""))
            try:
                found[key] = forms[key](item)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
        return found

    return each


def table(value: Any) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise ValueError(f"{short(value)} is no object")
    return value
