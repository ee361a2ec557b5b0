from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.key_lists import read_key_list
from wangp_cli.pipelines.auxiliary.rife_versions import rife_version

KEYS = Path(__file__).parents[2] / "networks" / "rife"
Shapes = dict[str, tuple[int, ...]]


def shapes_of(widths: tuple[int, ...], first: int, later: int) -> Shapes:
    """The shapes of convolutions that differ between versions 4."""
    shapes: Shapes = {}
    for index, width in enumerate(widths):
        shapes[f"block{index}.conv0.0.0.weight"] = (width // 2, later if index else first, 3, 3)
        shapes[f"block{index}.conv0.1.0.weight"] = (width, width // 2, 3, 3)
    return shapes


@pytest.mark.parametrize(
    ("widths", "first", "later", "version"),
    [
        ((192, 128, 96, 64), 15, 20, "4.7, 4.8 or 4.9"),
        ((192, 128, 96, 64), 23, 28, "4.10 to 4.19, or 4.24"),
        ((128, 96, 64, 48), 15, 20, "4.12.lite to 4.17.lite"),
        ((384, 192, 96, 48), 23, 28, "4.20"),
        ((256, 192, 96, 48), 23, 36, "4.21, 4.22 or 4.23"),
        ((192, 128, 64, 32), 15, 28, "4.22.lite"),
        ((192, 128, 96, 64, 32), 15, 28, "4.25 or 4.26"),
        ((192, 128, 96, 64, 24), 15, 28, "4.25.lite"),
        ((384, 256, 192, 128, 64), 15, 28, "4.25.heavy"),
        ((192, 128, 96, 64, 32), 39, 52, "4.26.heavy"),
        ((192, 128, 96), 15, 28, ""),
    ],
)
def test_versions_are_told_by_their_sizes(
    widths: tuple[int, ...], first: int, later: int, version: str
) -> None:
    assert rife_version(shapes_of(widths, first, later)) == version


@pytest.mark.parametrize(
    ("other", "version"),
    [
        ({"block0.conv0.0.1.weight": (96,), "block0.lastconv.weight": (192, 5, 4, 4)}, "4.0 or 4.1"),
        ({"block0.lastconv.weight": (192, 5, 4, 4)}, "4.2, 4.3 or 4.4"),
        ({"block0.lastconv.0.weight": (192, 20, 4, 4)}, "4.5"),
        ({"block0.lastconv.0.weight": (192, 24, 4, 4)}, "4.6"),
        ({}, ""),
    ],
)
def test_the_first_versions_4_are_told_by_other_layers(other: Shapes, version: str) -> None:
    assert rife_version(shapes_of((192, 128, 96, 64), 7, 12) | other) == version


def test_published_keys_are_recognised() -> None:
    assert rife_version(read_key_list(KEYS / "keys_v3.txt")) == "3"
    assert rife_version(read_key_list(KEYS / "keys_v4.txt")) == "4.25 or 4.26"
    assert rife_version({"encoder.conv1.weight": (8, 3, 3, 3)}) is None
