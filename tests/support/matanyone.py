"""MatAnyone with random weights, at its real size."""

from __future__ import annotations

from copy import deepcopy
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


@cache
def sensitive_matanyone() -> MatAnyone:
    """The same with layers that make alpha depend so much on the mask that 8 bits show it."""
    network = deepcopy(random_matanyone())
    network.mask_encoder.conv1.weight[:, 3] *= 10
    network.mask_encoder.fuser.distributor["g_transform"].weight *= 10
    network.pixel_fuser.fuser.distributor["g_transform"].weight *= 10
    network.mask_decoder.pred_mat.weight *= 5
    network.mask_decoder.pred_mat.bias += 0.5
    return network
