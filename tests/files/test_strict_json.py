from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.files.strict_json import MAX_DEPTH, loads

PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_every_sound_value_is_read(value: object, plain: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=plain).encode()) == value


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_anything_else_is_one_clear_error(text: bytes | str) -> None:
    try:
        loads(text)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017
        assert len(str(error)) < 200  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": 1e999}', "too large"),
        ("9" * 5000, "5000 digits"),
        ('{"a": 1, "a": 2}', "key 'a' appears twice"),
        ('{"a": ["\\ud800"]}', "half a surrogate"),
        ('{"a": ["\\u0000"]}', "NUL"),
        ("[" * 200_000, "nested too deeply"),
        ('"' + "x" * (1 << 20) + '"', "at most"),
        (b"\xff", "not UTF-8 at byte 0"),
        ("{", "at column 2"),
        ('{\n"a"', "at line 2"),
    ],
)
def test_what_is_wrong_is_named(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        loads(text)


def test_brackets_in_texts_are_no_depth() -> None:
    text = json.dumps({"a": "[" * 500 + '\\"['})
    assert loads(text) == json.loads(text)
    assert loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_hostile_texts_are_refused_fast() -> None:
    start = time.perf_counter()
    for text in ('"' + '\\"' * 500_000, "[" * 65 + '"' * 900_000, "{" * 1_000_000):
        with pytest.raises(ValueError):  # noqa: PT011 - any of them
            loads(text)
    assert time.perf_counter() - start < 2


def test_bytes_of_file_names_are_allowed_on_request() -> None:
    assert loads('"caf\\udce9"', file_names=True) == "caf\udce9"
    for text in ('"\\ud800"', '"\\udc00"'):
        with pytest.raises(ValueError, match="half a surrogate"):
            loads(text, file_names=True)
