"""The network of RAFT, in its large version.

Source: Teed and Deng 2020, arXiv:2003.12039; the reference code is BSD-3-Clause.
"""

# B batch, H height, W width

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from wangp_cli.networks.raft.correlation import Correlation
from wangp_cli.networks.raft.encoder import Encoder
from wangp_cli.networks.raft.update import HIDDEN, UpdateBlock

MULTIPLE = 8
"""Height and width of images are multiples of it."""


class Raft(nn.Module):
    """RAFT; parameters have the names of its published files."""

    def __init__(self) -> None:
        super().__init__()
        self.fnet = Encoder(nn.InstanceNorm2d)
        self.cnet = Encoder(nn.BatchNorm2d)
        self.update_block = UpdateBlock()

    def forward(self, first_B3HW: Tensor, second_B3HW: Tensor, iterations: int = 20) -> Tensor:
        """The flow from the first image to the second: `[B, 2, H, W]`, pixels to the right and down.

        Args:
            first_B3HW: RGB in [-1, 1]; height and width are multiples of 8, at least 64.
            second_B3HW: of the same size.
            iterations: refinements.
        """
        first, second = self.fnet(torch.cat([first_B3HW, second_B3HW])).float().chunk(2)
        correlation = Correlation(first, second)
        hidden, context = self.cnet(first_B3HW).split(HIDDEN, 1)
        hidden, context = hidden.tanh(), functional.relu(context)
        start_2HW = _places(first)
        place_B2HW = start_2HW.expand(len(first), -1, -1, -1)
        for _ in range(iterations):
            found = correlation.look_up(place_B2HW)
            hidden, change = self.update_block(hidden, context, found, place_B2HW - start_2HW)
            place_B2HW = place_B2HW + change
        return self.update_block.upsample(hidden, place_B2HW - start_2HW)


def _places(map_BCHW: Tensor) -> Tensor:
    """x and y of each pixel: `[2, H, W]`."""
    height, width = map_BCHW.shape[2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, device=map_BCHW.device, dtype=map_BCHW.dtype),
        torch.arange(width, device=map_BCHW.device, dtype=map_BCHW.dtype),
        indexing="ij",
    )
    return torch.stack([columns, rows])
