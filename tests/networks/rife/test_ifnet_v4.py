from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from tests.support.key_lists import read_key_list
from tests.support.rife import moving_frames, randomize
from wangp_cli.networks.rife.ifnet_v4 import IFNetV4
from wangp_cli.networks.rife.warp import warp


@pytest.fixture(scope="module")
def network() -> IFNetV4:
    """The network with random weights, which no test changes."""
    return randomize(IFNetV4())


def test_the_state_dict_is_that_of_the_published_file(network: IFNetV4) -> None:
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert shapes == read_key_list(Path(__file__).with_name("keys_v4.txt"))
    assert len(shapes) == 158
    assert sum(value.numel() for value in network.parameters()) == 5_664_776


@pytest.mark.parametrize(
    ("time", "scale", "pixel", "mean"),
    [
        (0.3, 1.0, [0.4814, 0.3132, 0.4955], 0.4964),
        (0.3, 0.5, [0.2365, 0.3404, 0.2886], 0.4912),
        (0.8, 2.0, [0.3455, 0.4228, 0.2086], 0.5034),
    ],
)
def test_frames_are_those_of_the_reference_code(
    network: IFNetV4, time: float, scale: float, pixel: list[float], mean: float
) -> None:
    first, second = moving_frames(72, 90)
    frame = network(first, second, time, scale)
    assert frame.shape == first.shape
    assert frame[0, :, 40, 50].tolist() == pytest.approx(pixel, abs=2e-4)
    assert frame.mean().item() == pytest.approx(mean, abs=2e-4)
    assert torch.equal(frame, network(first, second, time, scale))


def test_flows_add_up_and_the_last_mask_blends() -> None:
    network = randomize(IFNetV4())
    for index in range(5):
        last = getattr(network, f"block{index}").lastconv[0]
        last.weight.zero_()
        last.bias.zero_()
    # Four channels become one of twice the size; the first block's flow is in units of 16 pixels.
    network.block0.lastconv[0].bias[0:4] = 2 / 16
    network.block3.lastconv[0].bias[0:4] = 1 / 2
    network.block1.lastconv[0].bias[16:20] = -50
    first, second = torch.rand(2, 1, 3, 64, 64)
    flow = torch.zeros(1, 2, 64, 64)
    flow[:, 0] = 3
    blended = (warp(first, flow) + second) / 2
    assert torch.allclose(network(first, second, 0.5), blended, atol=1e-5)
    network.block4.lastconv[0].bias[16:20] = 50
    assert torch.allclose(network(first, second, 0.5), warp(first, flow), atol=1e-5)


def test_bfloat16_weights_give_nearly_the_same_frame(network: IFNetV4) -> None:
    first, second = moving_frames(64, 64)
    frame = network(first, second, 0.5)
    half = deepcopy(network).to(torch.bfloat16)(first, second, 0.5)
    assert half.dtype == torch.float32
    assert (half - frame).abs().mean() < 0.02
    # The pixels themselves are warped and blended in float32, where bfloat16 has 8 bits.
    assert not torch.equal(half, half.bfloat16().float())
