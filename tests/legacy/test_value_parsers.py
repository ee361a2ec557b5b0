"""Parsers for values of old payloads."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy.value_parsers import (
    MAX_ITEMS,
    boolean,
    file_name,
    json_object,
    list_of,
    number,
    object_of,
    one_of,
    parse_value,
    size,
    text,
    whole_number,
)

PAIR = object_of(frozenset({"note"}), url=file_name, strength=number)


@pytest.mark.parametrize(
    ("parse", "value", "parsed"),
    [
        (text, "  a ", "a"),
        (text, None, ""),
        (file_name, "a b.png", "a b.png"),
        (whole_number, 3.0, 3),
        (number, 0.5, 0.5),
        (boolean, 1, True),
        (size, [832, 480], "832x480"),
        (size, " 832 X 480 ", " 832 X 480 "),
        (one_of("a", "b"), "b", "b"),
        (list_of(whole_number), [1, 2], [1, 2]),
        (list_of(whole_number), 5, [5]),
        (PAIR, {"url": "a", "strength": None, "note": object()}, {"url": "a"}),
    ],
)
def test_values_are_converted(parse: Any, value: Any, parsed: Any) -> None:
    assert parse(value) == parsed


@pytest.mark.parametrize(
    ("parse", "value", "fault"),
    [
        (text, 3, "3 is no text"),
        (file_name, " ", "' ' names no file"),
        (whole_number, -1, "-1 is no whole number"),
        (whole_number, 1.5, "1.5 is no whole number"),
        (number, True, "True is no number"),
        (number, float("nan"), "nan is no number"),
        (boolean, "yes", "'yes' is neither true nor false"),
        (size, "832", "is no WIDTHxHEIGHT"),
        (one_of("a", "b"), "c", "'c' is not one of a, b"),
        (list_of(number), [1, "x"], "item 2: 'x' is no number"),
        (list_of(number), [0] * (MAX_ITEMS + 1), f"at most {MAX_ITEMS} are read"),
        (json_object, [], r"\[\] is no object"),
        (PAIR, {"ulr": "a"}, "'ulr' is no key of it, did you mean url"),
        (PAIR, {"strength": "x"}, "strength: 'x' is no number"),
    ],
)
def test_other_values_are_errors_with_what_is_wanted(parse: Any, value: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse(value)


def test_the_error_of_a_key_names_the_key() -> None:
    with pytest.raises(RequestError, match="seed_base: 'x' is no number"):
        parse_value("seed_base", whole_number, "x")
