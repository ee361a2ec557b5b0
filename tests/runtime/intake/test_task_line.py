"""Tasks as lines give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime.intake.task_line import TaskLine, digest_of, readable_id
from wangp_cli.value_layers import Origin


def test_the_order_of_keys_does_not_change_a_digest() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})
    assert digest_of({"a": Path("/x")}) == digest_of({"a": "/x"})


@pytest.mark.parametrize(
    ("value", "task_id"),
    [
        ({"task_id": "a-1"}, "a-1"),
        ({"id": "a-1", "params": {}}, "a-1"),
        ({"id": "a-1"}, None),
        ({"task_id": "../a"}, None),
        ({"task_id": 7}, None),
        (["a-1"], None),
    ],
)
def test_only_a_valid_id_is_read(value: Any, task_id: str | None) -> None:
    assert readable_id(value) == task_id


def test_an_error_names_the_key_of_the_line() -> None:
    line = TaskLine(number=1, source="t", given_as={"steps": "num_inference_steps"})
    error = line.relabel(RequestError("steps", "0 is too small"))
    assert (error.field, error.message) == ("num_inference_steps", "num_inference_steps: 0 is too small")
    assert line.relabel(RequestError("seed", "wrong")).field == "seed"


def test_a_file_of_one_task_is_the_origin_of_its_values() -> None:
    assert TaskLine(number=0, source="a.json").layer({}).origin == Origin("file", "file a.json")
    assert TaskLine(number=2, source="a.jsonl").layer({}).origin == Origin("line", "line 2 of a.jsonl")
