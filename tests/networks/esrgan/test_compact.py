from __future__ import annotations

import pytest
import torch

from tests.support.esrgan import TINY_COMPACT, random_compact
from wangp_cli.networks.esrgan.compact import CompactSizes, SRVGGNetCompact, compact_sizes
from wangp_cli.networks.esrgan.layouts import network_of

SIZES = [
    TINY_COMPACT,
    CompactSizes(features=8, layers=1, scale=4),
    CompactSizes(features=4, layers=2, scale=1),
]


def test_the_network_for_videos_has_the_published_size() -> None:
    with torch.device("meta"):
        network = SRVGGNetCompact(CompactSizes())
    assert sum(value.numel() for value in network.parameters()) == 621_424


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"x{sizes.scale}")
def test_sizes_are_told_by_the_shapes_and_pictures_become_larger(sizes: CompactSizes) -> None:
    network = random_compact(sizes)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert network_of(shapes) == "SRVGGNetCompact"
    assert compact_sizes(shapes) == sizes
    picture = torch.rand(1, 3, 6, 10, generator=torch.Generator().manual_seed(0))
    assert network(picture).shape == (1, 3, 6 * sizes.scale, 10 * sizes.scale)


def test_without_weights_it_repeats_pixels() -> None:
    network = random_compact()
    for weight in network.parameters():
        weight.data.zero_()
    picture = torch.rand(1, 3, 4, 4)
    assert torch.equal(network(picture), picture.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize(
    "shapes", [{}, {"body.0.weight": (8, 3, 3, 3), "body.2.weight": (7, 8, 3, 3)}, {"body.0.weight": (8, 3)}]
)
def test_shapes_of_no_such_network_are_refused(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"is absent|its last layer has"):
        compact_sizes(shapes)


def test_a_number_in_a_name_is_no_count_of_layers() -> None:
    shapes = {name: tuple(value.shape) for name, value in random_compact().state_dict().items()}
    assert compact_sizes(shapes | {"body.900000000.weight": (12,)}) == TINY_COMPACT


@pytest.mark.parametrize("names", [["body.0.weight", "body.1.conv.weight"], ["layers.0.weight"], []])
def test_other_networks_are_none_of_the_family(names: list[str]) -> None:
    assert network_of(names) is None
