from pathlib import Path

import torch

from tests.support.key_lists import read_key_list
from tests.support.matanyone import random_matanyone
from wangp_cli.networks.matanyone.blocks import shrink

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


def test_parts_have_the_values_of_cutie() -> None:
    # Of the reference code of Cutie (MIT) with these weights, which it has under the same names.
    network = random_matanyone()
    random = torch.Generator().manual_seed(4)
    image = torch.rand(1, 3, 48, 64, generator=random)
    alpha = (torch.rand(1, 1, 48, 64, generator=random) > 0.4).float()
    sensory = torch.randn(1, 256, 3, 4, generator=random)
    frame = network.encode_frame(image)
    value = network.encode_alpha(frame, alpha)
    sensory = network.mask_encoder.update_sensory(value, sensory)
    summary = network.object_summarizer(alpha, value)
    fused = network.pixel_fuser(frame.feature, value, sensory, shrink(alpha, 3, 4))
    enriched = network.object_transformer(fused, summary)
    found = torch.stack([each[0, ::97, 1, 2] for each in (value, sensory, enriched)])
    expected = [[0.27954, 0.11686, -0.02253], [0.05098, 0.2357, -0.38552], [-0.15541, -0.08975, -0.17569]]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(summary[0, [0, 9], -1], torch.tensor([3.84328, 2.65441]), atol=1e-4, rtol=1e-4)
