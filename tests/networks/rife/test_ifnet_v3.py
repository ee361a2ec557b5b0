from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.key_lists import read_key_list
from tests.support.rife import moving_frames, randomize
from wangp_cli.networks.rife.ifnet_v3 import IFNetV3


@pytest.fixture(scope="module")
def network() -> IFNetV3:
    """The network with random weights, which no test changes."""
    return randomize(IFNetV3())


def test_the_state_dict_is_that_of_the_published_file(network: IFNetV3) -> None:
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert shapes == read_key_list(Path(__file__).with_name("keys_v3.txt"))
    assert len(shapes) == 160
    assert sum(value.numel() for value in network.parameters()) == 3_038_015


@pytest.mark.parametrize(
    ("scale", "pixel", "mean"),
    [(1.0, [0.3304, 0.4175, 0.2238], 0.5089), (0.5, [0.3167, 0.4036, 0.2363], 0.5090)],
)
def test_frames_are_those_of_the_reference_code(
    network: IFNetV3, scale: float, pixel: list[float], mean: float
) -> None:
    first, second = moving_frames(72, 90)
    frame = network(first, second, scale)
    assert frame.shape == first.shape
    assert frame[0, :, 40, 50].tolist() == pytest.approx(pixel, abs=2e-4)
    assert frame.mean().item() == pytest.approx(mean, abs=2e-4)
    assert torch.equal(frame, network(first, second, scale))


def test_the_middle_is_the_same_in_both_directions(network: IFNetV3) -> None:
    first, second = moving_frames(64, 64)
    there, back = network(first, second), network(second, first)
    assert torch.allclose(there, back, atol=1e-5)
    assert (there - (first + second) / 2).abs().mean() > 0.02
