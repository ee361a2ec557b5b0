from pathlib import Path

import torch

from tests.support.key_lists import read_key_list
from tests.support.matanyone import random_matanyone

KEYS = Path(__file__).with_name("keys.txt")


def test_keys_and_shapes_are_those_of_the_published_files() -> None:
    network = random_matanyone()
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    assert shapes == read_key_list(KEYS)
    assert len(shapes) == 562
    assert sum(parameter.numel() for parameter in network.parameters()) == 35_249_195


def test_positions_are_encoded_across_first_then_down() -> None:
    encoding = random_matanyone().object_summarizer.pos_enc(3, 5)
    assert encoding.shape == (3, 5, 256)
    assert torch.equal(encoding[0, :, :128], encoding[2, :, :128])
    assert torch.equal(encoding[:, 0, 128:], encoding[:, 4, 128:])
    # Positions run from 0 to 32; frequencies fall from 1 by 128 to the power of -2 / 128.
    across, down = torch.tensor(32.0 * 1 / 4), torch.tensor(32.0 * 1 / 2) * 128 ** (-2 / 128)
    expected = torch.stack([across.sin(), across.cos(), down.sin(), down.cos()])
    torch.testing.assert_close(encoding[1, 1, [0, 1, 130, 131]], expected, atol=1e-4, rtol=0)
