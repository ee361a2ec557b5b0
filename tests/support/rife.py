"""RIFE networks with random weights, and frames between which something moves."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional

N = TypeVar("N", bound=nn.Module)


def randomize(network: N, seed: int = 0) -> N:
    """Give a network reproducible weights, with which flows are some pixels long."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in sorted(network.named_parameters()):
        size = 0.5 / weight[0].numel() ** 0.5 if weight.dim() > 1 else 0.1
        mean = 1.0 if name.endswith("beta") else 0.0
        weight.data = torch.randn(weight.shape, generator=generator) * size + mean
    network.eval().requires_grad_(False)
    return network


def moving_frames(height: int, width: int, x: int = 5, y: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Two frames `[1, 3, H, W]` in [0, 1], the second of which is the first moved right and down."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, height // 4 + 4, width // 4 + 4, generator=generator)
    large = functional.interpolate(coarse, scale_factor=4, mode="bicubic").clamp(0, 1)
    return large[..., 8 : 8 + height, 8 : 8 + width], large[
        ..., 8 - y : 8 - y + height, 8 - x : 8 - x + width
    ]


def official_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of a published file: its keys have a prefix, and networks of training are in it."""
    training = {"teacher.conv0.0.0.weight": torch.ones(2), "caltime.0.bias": torch.ones(2)}
    return {f"module.{name}": value for name, value in (network.state_dict() | training).items()}
