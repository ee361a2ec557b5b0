"""JSON from strangers: no NaN, no duplicate keys, no surrogates, no deep nesting, no surprises."""

from __future__ import annotations

import json
from typing import Any

MAX_BYTES = 1 << 20


def loads(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: with one clear sentence about what is wrong.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 at byte {error.start}") from None
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        raise ValueError(f"{len(text)} characters, at most {MAX_BYTES} are read")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a text holds half a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} appears twice")
        if "\0" in key or (isinstance(value, str) and "\0" in value):
            raise ValueError(f"the value of {key!r} holds a NUL character")
        found[key] = value
    return found
