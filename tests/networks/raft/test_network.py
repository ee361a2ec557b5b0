from pathlib import Path

import torch

from tests.support.key_lists import read_key_list
from tests.support.raft import random_raft
from wangp_cli.networks.raft.correlation import Correlation

KEYS = Path(__file__).with_name("keys.txt")
REFERENCE = [
    [[-0.22289, -0.43056, -0.45187], [-0.30251, -0.62333, -0.50582], [-0.27407, -0.65373, -0.5536]],
    [[0.20689, 0.41786, 0.38215], [0.24757, 0.5422, 0.37323], [0.24962, 0.50154, 0.29469]],
]
"""Flow of torchvision's raft_large with the weights of `random_raft`, after two iterations."""
IMAGE = torch.rand(1, 3, 128, 136, generator=torch.Generator().manual_seed(3)) * 2 - 1
SMALL = IMAGE[..., :64, :64]


def test_keys_and_shapes_are_those_of_the_published_files() -> None:
    network = random_raft()
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    assert shapes == read_key_list(KEYS)
    assert len(shapes) == 179
    assert sum(parameter.numel() for parameter in network.parameters()) == 5_257_536


def test_flow_has_the_values_of_the_reference() -> None:
    with torch.inference_mode():
        flow = random_raft()(IMAGE, IMAGE.roll((3, 5), (2, 3)), iterations=2)
    assert flow.shape == (1, 2, 128, 136)
    torch.testing.assert_close(flow[0, :, 9::43, 7::53], torch.tensor(REFERENCE), atol=1e-4, rtol=1e-4)


def test_each_iteration_refines_the_flow() -> None:
    with torch.inference_mode():
        flows = [random_raft()(SMALL, SMALL.flip(3), iterations=count) for count in (1, 2)]
    assert not torch.equal(*flows)


def test_windows_of_correlation_lie_on_their_side() -> None:
    random = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 1, 256, 16, 20, generator=random)
    place = torch.tensor([7.0, 6.0]).view(1, 2, 1, 1).expand(1, 2, 16, 20)
    found = Correlation(first, second).look_up(place)
    assert found.shape == (1, 324, 16, 20)
    windows = found[0, :, 2, 3].view(4, 9, 9)
    scores = (first[0, :, 2, 3, None, None] * second[0]).sum(0) / 16
    torch.testing.assert_close(windows[0], scores[2:11, 3:12].T)
    # On the second level the window reaches from -0.5 to 7.5 across and from -1 to 7 down.
    halved = torch.nn.functional.avg_pool2d(scores[None], 2)[0]
    torch.testing.assert_close(windows[1, 1:, 1:].T, (halved[0:8, 0:8] + halved[0:8, 1:9]) / 2)
    assert windows[1, :, 0].eq(0).all()
