from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.files.strict_json import MAX_BYTES
from wangp_cli.runtime.intake.json_stream import MalformedError, is_complete_json, list_items, raw_lines

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(VALUES, max_size=5), st.integers(1, 9), st.sampled_from([None, 2]), st.booleans())
def test_items_are_those_of_the_list_however_it_arrives(
    values: list[object], step: int, indent: int | None, plain: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    parts = [text[at : at + step] for at in range(0, len(text), step)]
    found = [
        json.loads(item.decode("utf-8", "surrogatepass")) for item in list_items(parts) if item is not None
    ]
    assert found == values


@pytest.mark.parametrize(
    "text", [b"", b"[", b"[1", b"[1]]", b"[1] 2", b"[1}", b"{}", b"1", b"x[1]", b'["]', b"[1][2]"]
)
def test_a_broken_list_is_told(text: bytes) -> None:
    with pytest.raises(MalformedError):
        list(list_items([text]))


def test_a_comma_too_many_is_an_empty_item() -> None:
    assert list(list_items([b"[1,]"])) == [b"1", b""]
    assert list(list_items([b"[,]"])) == [b"", b""]
    assert list(list_items([b" [ ] "])) == []


def test_an_item_that_is_too_long_is_left_out_and_the_next_one_comes() -> None:
    text = b'["' + b"x" * (3 * MAX_BYTES) + b'", 2]'
    parts = (text[at : at + 65536] for at in range(0, len(text), 65536))
    assert list(list_items(parts)) == [None, b"2"]


def test_lines_are_numbered_as_an_editor_does() -> None:
    text = b"\xef\xbb\xbf1\r\n\r\n# note\n  2  \n" + b"x" * (MAX_BYTES + 9) + b"\nlast"
    assert list(raw_lines(io.BytesIO(text))) == [(1, b"1"), (4, b"2"), (5, None), (6, b"last")]


def test_a_line_of_the_greatest_length_is_read() -> None:
    longest = b"x" * MAX_BYTES
    assert list(raw_lines(io.BytesIO(longest + b"\r\n" + longest))) == [(1, longest), (2, longest)]


@pytest.mark.parametrize(
    ("text", "whole"), [(b"{}", True), (b"{", False), (b'{"a": "}', False), (b"{},{}", False)]
)
def test_whole_values_are_told_from_cut_ones(text: bytes, whole: bool) -> None:
    assert is_complete_json(text) is whole
