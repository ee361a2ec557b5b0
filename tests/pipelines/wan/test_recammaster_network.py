"""ReCamMaster's network, against plain Wan and a plain computation."""

from __future__ import annotations

import torch

from tests.support import tiny
from tests.support.plain_recammaster import add_camera, plain_network
from tests.support.wan import camera


def inputs_of_a_pass(frames: int = 6) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return {
        "hidden_states": torch.randn(1, 16, frames, 4, 4, generator=random),
        "timestep": torch.tensor([500.0]),
        "encoder_hidden_states": torch.randn(1, 8, 32, generator=random),
    }


def test_a_new_network_is_plain_wan_on_both_videos() -> None:
    network = tiny.transformer("ReCamTransformer3DModel")
    given = inputs_of_a_pass()
    with torch.no_grad():
        found = network(**given, camera=torch.randn(1, 3, 12)).sample
        assert torch.equal(found, plain_network(network)(**given).sample)


def test_a_pass_is_that_of_a_plain_computation() -> None:
    network, given = tiny.recam(), inputs_of_a_pass()
    poses = torch.tensor(camera("arc-left", 3)) * 3
    plain = plain_network(network)
    add_camera(plain, network.state_dict(), poses, tokens=4)
    with torch.no_grad():
        found, wanted = network(**given, camera=poses[None]).sample, plain(**given).sample
        still = network(**given, camera=poses[None] * 0).sample
    assert torch.allclose(found, wanted, atol=1e-5)
    assert (found - still).abs().max() > 1e-3
