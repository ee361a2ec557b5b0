"""Hashes of values by their content."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wangp_cli.runtime import bootstrap
from wangp_cli.workflows.content_hash import content_hash


@dataclass
class Point:
    x: Any
    y: Any = None


@dataclass
class Place:
    x: Any
    y: Any = None


def test_equal_content_has_one_hash_whatever_the_order() -> None:
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash(frozenset("abc")) == content_hash(frozenset("cba"))
    assert content_hash(np.arange(6).reshape(2, 3)) == content_hash(
        np.asfortranarray(np.arange(6).reshape(2, 3))
    )
    assert content_hash(Point(np.ones(3))) == content_hash(Point(np.ones(3)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, True),
        (Fraction(1), 1),
        (Path("a"), "a"),
        ([1, 2], [2, 1]),
        ([[1], 2], [[1, 2]]),
        (None, ""),
        (Point(1), Place(1)),
        (Point(1, 2), Point(2, 1)),
        (np.zeros(4, np.float32), np.zeros(4, np.int32)),
        (np.zeros((2, 2)), np.zeros(4)),
    ],
    ids=str,
)
def test_other_content_has_another_hash(one: Any, other: Any) -> None:
    assert content_hash(one) != content_hash(other)


def test_values_without_known_content_are_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        content_hash([object()])


def test_every_model_of_the_catalogue_has_a_hash() -> None:
    catalogue = bootstrap.catalogue(bootstrap.user_folders({"WANGP_CONFIG_DIR": "/nonexistent"}))
    hashes = {content_hash(spec) for spec in catalogue.models.values()}
    assert len(hashes) == len(catalogue.models) > 30
