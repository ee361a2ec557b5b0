"""Plain words for values that are not valid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from wangp_cli.validation import fault_message


class Values(BaseModel, extra="forbid"):
    count: Annotated[int, Field(ge=1, le=9)] = 1
    scale: Annotated[float, Field(gt=0, lt=2, allow_inf_nan=False)] = 1.0
    on: bool = True
    kind: Literal["a", "b"] = "a"
    name: Annotated[str, Field(min_length=1, max_length=3)] = "x"
    names: tuple[str, ...] = ()
    table: dict[str, int] = {}
    path: Path = Path()
    even: int = 0

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"{value} is odd")
        return value


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": "x"}, "'x' is not a whole number"),
        ({"count": 1.5}, "1.5 is not a whole number"),
        ({"count": None}, "None is not a whole number"),
        ({"count": "0"}, "0 is too small, must be at least 1"),
        ({"count": 10}, "10 is too large, must be at most 9"),
        ({"scale": "x"}, "'x' is not a number"),
        ({"scale": []}, "[] is not a number"),
        ({"scale": float("nan")}, "nan is not a finite number"),
        ({"scale": 0}, "0 is too small, must be more than 0.0"),
        ({"scale": 2}, "2 is too large, must be less than 2.0"),
        ({"on": "maybe"}, "'maybe' is not true or false"),
        ({"kind": "c"}, "'c' is not one of 'a', 'b'"),
        ({"name": ""}, "is empty"),
        ({"name": "long"}, "is longer than 3"),
        ({"name": 5}, "5 is not a text"),
        ({"names": 5}, "5 is not a list"),
        ({"table": 5}, "5 is not an object"),
        ({"path": 5}, "5 is not a path"),
        ({"even": 3}, "3 is odd"),
        ({"other": 3}, "there is no such key"),
        ({"names": "a" * 200}, f"'{'a' * 76}... is not a list"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_plain_words(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Values.model_validate(values)
    [fault] = caught.value.errors()
    assert fault_message(fault) == message


def test_a_field_that_is_missing_is_needed() -> None:
    class Needs(BaseModel):
        count: int

    with pytest.raises(ValidationError) as caught:
        Needs.model_validate({})
    assert fault_message(caught.value.errors()[0]) == "is needed"
