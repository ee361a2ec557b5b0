"""What all tasks of diffusion models share."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.shape import Shape


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [((832, 480), (416, 240), True), ((832, 480), (833, 480), True), ((832, 480), (480, 832), False)],
)
def test_shapes_are_alike_where_their_aspect_ratios_are(
    one: tuple[int, int], other: tuple[int, int], alike: bool
) -> None:
    assert Shape(*one, Fraction(16)).like(Shape(*other)) is alike
    assert Shape(*other).like(Shape(*one)) is alike


def test_each_result_has_a_seed_of_its_own() -> None:
    task = Generate(model="m", prompt="a", seed=3, count=2)
    assert [task.name_fields(index)["seed"] for index in range(2)] == [3, 4]
    assert (task.single(1).seed, task.single(1).count) == (4, 1)
