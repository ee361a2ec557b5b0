"""Entries of the catalogue."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.grid import Grid
from wangp_cli.models import ModelSpec, Network, Source

SPEC: dict[str, Any] = {
    "name": "m",
    "title": "M",
    "family": "wan",
    "architecture": "t2v",
    "source": {"repository": "owner/m"},
    "accepts": ["source"],
}


def test_one_file_is_a_list_of_one() -> None:
    source = Source.model_validate({"file": "a.safetensors", "components": {"repository": "owner/m"}})
    assert source.parts == {"transformer": ("a.safetensors",)}


def test_numbers_with_exponents_are_read_as_yaml_writes_them() -> None:
    network = Network(name="n", kind="K", config={"eps": "1e-6", "note": "1e", "num_attention_heads": 2})
    assert (network.config["eps"], network.config["note"], network.width) == (1e-6, "1e", 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": {"repository": "owner/m", "folder": "/m"}}, "name one place"),
        ({"source": {"file": "a.safetensors"}}, "files need components"),
        ({"family": ""}, "family is missing"),
        ({"architecture": "none"}, "architecture is missing"),
        ({"status": "unsupported"}, "needs a status_note"),
        ({"experts": 2, "phases": 1}, "a model of two experts has two at least"),
        ({"kinds": "video"}, "Extra inputs"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    ModelSpec.model_validate(SPEC)
    with pytest.raises(ValidationError, match=message):
        ModelSpec.model_validate(SPEC | changes)


def test_the_range_of_the_grid_is_one_in_frames_at_a_rate() -> None:
    plain = ModelSpec.model_validate(SPEC)
    assert plain.at(Fraction(24)) is plain
    timed = ModelSpec.model_validate(SPEC | {"grid": {"minimum_seconds": 1, "maximum_seconds": 5}})
    assert timed.at(Fraction(16)).grid == Grid(minimum_seconds=1, maximum_seconds=5).at(Fraction(16))
