"""RAFT with random weights, at its real size."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from wangp_cli.networks.raft.network import Raft


@cache
def random_raft() -> Raft:
    """The network in evaluation mode, without gradients, always with the same weights and statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Raft()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    network.eval().requires_grad_(requires_grad=False)
    return network
