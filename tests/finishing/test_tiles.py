"""Networks applied tile by tile."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.support.esrgan import random_compact, random_rrdb
from wangp_cli.finishing.tiles import enlarge_in_tiles, tile_spans
from wangp_cli.networks.esrgan.rrdbnet import RRDBSizes

PICTURE = torch.rand(1, 3, 45, 70, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("length", "side"), [(1, 64), (64, 64), (65, 64), (1000, 64), (130, 32)])
def test_tiles_cover_a_side_without_gaps(length: int, side: int) -> None:
    tiles = list(tile_spans(length, side, 8))
    kept = [place for tile in tiles for place in range(tile.start, tile.end)]
    assert kept == list(range(length))
    assert all(tile.end - tile.start < side + 4 for tile in tiles)
    assert all(tile.first <= tile.start < tile.end <= tile.last <= length for tile in tiles)
    assert all(tile.first % 4 == 0 for tile in tiles)


@pytest.mark.parametrize(
    "network", [random_compact(), random_rrdb(RRDBSizes(features=4, growth=2, blocks=1))]
)
def test_with_enough_overlap_the_tiles_are_the_whole(network: nn.Module) -> None:
    scale = network.scale
    tiled = enlarge_in_tiles(network, PICTURE, scale, side=16, overlap=24)
    assert tiled.shape == (1, 3, 45 * scale, 70 * scale)
    assert torch.allclose(tiled, network(PICTURE), atol=1e-5)
    assert not torch.allclose(enlarge_in_tiles(network, PICTURE, scale, side=16, overlap=0), tiled, atol=1e-3)


def test_squares_that_a_network_takes_together_stay_the_same() -> None:
    network = random_rrdb(RRDBSizes(features=4, growth=2, blocks=1, unshuffle=4))
    tiled = enlarge_in_tiles(network, PICTURE, 1, side=20, overlap=64)
    assert torch.allclose(tiled, network(PICTURE), atol=1e-5)


def test_a_picture_that_fits_is_computed_once() -> None:
    seen = []

    def network(picture: torch.Tensor) -> torch.Tensor:
        seen.append(picture.shape)
        return functional.interpolate(picture, scale_factor=2)

    enlarge_in_tiles(network, PICTURE, 2, side=70, overlap=8)
    assert seen == [PICTURE.shape]
