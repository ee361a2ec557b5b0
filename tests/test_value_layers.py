"""Layers of values, merged with the origin of each value."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.value_layers import Layer, Origin, merge


def model(**values: Any) -> Layer:
    return Layer(kind="model", name="t2v", values=values)


def flag(**values: Any) -> Layer:
    return Layer(kind="flag", values=values)


def test_a_later_layer_wins_and_is_the_origin() -> None:
    merged = merge([model(a=1, b=1), flag(b=2, c=2)])
    assert merged.values == {"a": 1, "b": 2, "c": 2}
    texts = {name: str(origin) for name, origin in merged.origin.items()}
    assert texts == {"a": "model t2v", "b": "flag", "c": "flag"}


@pytest.mark.parametrize("value", [0, 0.0, False, "", ()])
def test_zero_is_a_value(value: object) -> None:
    merged = merge([model(a=1), flag(a=value)])
    assert merged.values["a"] == value
    assert merged.origin["a"] == Origin("flag", "flag")


def test_none_is_no_value() -> None:
    merged = merge([model(a=1), flag(a=None)])
    assert (merged.values, merged.origin) == ({"a": 1}, {"a": Origin("model", "model t2v")})


def test_only_flags_and_files_of_one_task_are_explicit() -> None:
    """A preset, model or settings folder may be called `flag` or `line`: its kind decides, not its name."""
    explicit = [Layer(kind="file", name="look.json", values={}), Layer(kind="line", name="3 of x", values={})]
    assert all(layer.origin.is_explicit for layer in [*explicit, flag()])
    others = [Layer(kind=kind, name="flag", values={}) for kind in ("default", "settings", "preset", "model")]
    assert not any(layer.origin.is_explicit for layer in others)
    assert not Origin("drawn", "line 1").is_explicit
