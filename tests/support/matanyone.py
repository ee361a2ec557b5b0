"""MatAnyone with random weights, at its real size."""

from __future__ import annotations

from functools import cache

import torch

from wangp_cli.networks.matanyone.network import MatAnyone


@cache
def random_matanyone() -> MatAnyone:
    """The network in evaluation mode, without gradients, always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MatAnyone()
    network.eval().requires_grad_(requires_grad=False)
    return network
