from __future__ import annotations

import pytest
import torch

from tests.support.esrgan import TINY, named_layout, numbered_layout, random_rrdb
from wangp_cli.networks.esrgan.layouts import canonical_names, network_of
from wangp_cli.networks.esrgan.rrdbnet import RRDBNet, RRDBSizes, rrdb_sizes

SIZES = [
    TINY,
    RRDBSizes(features=8, growth=4, blocks=1, doublings=2, unshuffle=2),
    RRDBSizes(features=8, growth=4, blocks=1, doublings=2, unshuffle=4),
    RRDBSizes(features=16, growth=8, blocks=3, doublings=1),
    RRDBSizes(features=8, growth=8, blocks=1, doublings=3),
]
"""Of ESRGAN, of Real-ESRGAN for factors 2 and 1, and of networks for 2 and 8 without unshuffle."""


def test_the_official_network_has_the_published_size() -> None:
    with torch.device("meta"):
        network = RRDBNet(RRDBSizes())
    assert sum(value.numel() for value in network.parameters()) == 16_697_987
    assert len(network.state_dict()) == 702


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"x{sizes.scale}")
def test_pictures_of_any_size_become_larger_by_its_scale(sizes: RRDBSizes) -> None:
    picture = torch.rand(1, 3, 13, 10, generator=torch.Generator().manual_seed(0))
    made = random_rrdb(sizes)(picture)
    assert made.shape == (1, 3, 13 * sizes.scale, 10 * sizes.scale)
    assert torch.equal(made, random_rrdb(sizes)(picture))
    assert not torch.equal(made, random_rrdb(sizes)(picture * 0.9))


def test_blocks_add_a_fifth_of_what_they_make() -> None:
    block = random_rrdb(TINY).body[0]
    for weight in block.parameters():
        weight.data.zero_()
    ones = torch.ones(1, TINY.features, 4, 4)
    assert torch.allclose(block(ones), torch.full_like(ones, 1.2))
    # Below 0 a convolution has a slope of a fifth.
    block.rdb1.conv1.bias.data.fill_(-1)
    block.rdb1.conv5.weight.data[:, TINY.features, 1, 1] = 1
    assert torch.allclose(block(ones), torch.full_like(ones, 1 + 0.2 * (1 - 0.2 * 0.2)))


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"x{sizes.scale}")
def test_its_sizes_are_told_by_the_shapes(sizes: RRDBSizes) -> None:
    shapes = {name: tuple(value.shape) for name, value in random_rrdb(sizes).state_dict().items()}
    assert rrdb_sizes(shapes) == sizes


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({}, "conv_first.weight is absent"),
        ({"conv_first.weight": (8, 3, 3, 3)}, "body.0.rdb1.conv1.weight is absent"),
        ({"conv_first.weight": (8, 1, 3, 3), "body.0.rdb1.conv1.weight": (4, 8, 3, 3)}, "reads 1 channels"),
    ],
)
def test_shapes_of_no_such_network_are_refused(shapes: dict[str, tuple[int, ...]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rrdb_sizes(shapes)


def test_a_number_in_a_name_is_no_count_of_blocks() -> None:
    shapes = {name: tuple(value.shape) for name, value in random_rrdb(TINY).state_dict().items()}
    assert rrdb_sizes(shapes | {"body.900000000.rdb1.conv2.weight": (4, 8, 3, 3)}) == TINY


@pytest.mark.parametrize("sizes", [TINY, SIZES[3], SIZES[4]], ids=lambda sizes: f"x{sizes.scale}")
def test_older_layouts_have_the_same_names_in_the_end(sizes: RRDBSizes) -> None:
    state = random_rrdb(sizes).state_dict()
    layouts = (state, named_layout(state), numbered_layout(state, sizes))
    for layout in (*layouts, {f"params_ema.{name}": value for name, value in state.items()}):
        names = canonical_names(layout)
        assert network_of(names) == "RRDBNet"
        assert {name: layout[key] for name, key in names.items()} == state
