"""Parse untrusted JSON strictly: no NaN, duplicate keys, lone surrogates, NUL characters or deep nesting."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from wangp_cli.files.safe_text import quote_for_message

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_DIGITS = 40
_MARK = re.compile(r'["\\\[\]{}]')


def loads(text: str | bytes, *, limit: int = MAX_BYTES, file_names: bool = False) -> Any:
    """Parse a JSON text.

    Args:
        text: UTF-8, with or without a byte order mark.
        limit: largest length, in bytes or characters.
        file_names: allow the surrogates that stand for bytes of file names that are not UTF-8.

    Raises:
        ValueError: with one sentence that says what is wrong and where.
    """
    if len(text) > limit:
        unit = "bytes" if isinstance(text, bytes) else "characters"
        raise ValueError(f"{len(text)} {unit}, at most {limit} are read")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 at byte {error.start}") from None
    text = text.removeprefix("\ufeff")
    _check_depth(text)
    try:
        value = json.loads(
            text,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=_unique,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}" if "\n" in text else f"column {error.colno}"
        raise ValueError(f"not JSON: {error.msg} at {place}") from None
    if "\\u" in text or not text.isascii():
        _check_texts(value, "surrogateescape" if file_names else "strict")
    return value


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth, quoted, escaped = 0, False, -1
    for match in _MARK.finditer(text):
        mark = match[0]
        if match.start() == escaped:
            continue
        if mark == "\\":
            escaped = match.end()
        elif mark == '"':
            quoted = not quoted
        elif not quoted:
            depth += 1 if mark in "[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested too deeply, at most {MAX_DEPTH} levels are read")


def _check_texts(value: Any, errors: str) -> None:
    for key, text in _texts(value, ""):
        place = f" of {quote_for_message(key)}" if key else ""
        if "\0" in text:
            raise ValueError(f"the value{place} holds a NUL character")
        try:
            text.encode("utf-8", errors)
        except UnicodeEncodeError:
            raise ValueError(f"the value{place} holds half a surrogate pair") from None


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every string of a value, keys included, with the key it is under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield key, name
            yield from _texts(item, name)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is too large, at most {MAX_DIGITS} are read")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"key {quote_for_message(key)} appears twice")
        table[key] = value
    return table
