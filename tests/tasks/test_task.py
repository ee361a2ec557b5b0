"""What all tasks share."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from wangp_cli.tasks.generate import Generate


@pytest.mark.parametrize("name", ["a", "8d36d4e2-4f57", "a.b_c", "a" * 128])
def test_an_id_is_a_plain_name(name: str) -> None:
    assert Generate(model="m", prompt="a", task_id=name).task_id == name


@pytest.mark.parametrize("name", ["", ".a", "../a", "a b", "a\n", "é", "a" * 129])
def test_an_id_that_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a plain name"):
        Generate(model="m", prompt="a", task_id=name)


def test_input_files_are_those_that_are_given() -> None:
    task = Generate(model="m", prompt="a", image_start=Path("a.png"), image_refs=(Path("b.png"),))
    assert task.media() == {"image_start": (Path("a.png"),), "image_refs": (Path("b.png"),)}
    assert task.name_fields(0)["input"] == "a"
