"""The network of RIFE 3 (HDv3).

B batch, C channels, H height, W width. Flows have four channels: x and y from the frame in the middle to the
first frame, then to the second.
"""

from __future__ import annotations

import torch
from torch import nn

from wangp_cli.networks.rife.warp import pad_to_multiple, resize, warp

WIDTH = 90
"""Channels of the blocks."""
REDUCTIONS = (4, 2, 1)
"""How many times smaller than the frames the blocks compute, at scale 1."""
MULTIPLE = 32
"""Sides of frames are padded to multiples of it, at scale 1."""


class IFNetV3(nn.Module):
    """Gives the frame in the middle between two frames.

    Its state dict has the keys and shapes of the published file. `block_tea` is part of it, but only training
    uses it.

    Source: the RIFE HDv3 reference code (MIT).
    """

    def __init__(self) -> None:
        super().__init__()
        self.block0, self.block1, self.block2 = (_Block(7 + 4) for _ in REDUCTIONS)
        self.block_tea = _Block(10 + 4)

    def forward(
        self, first_B3HW: torch.Tensor, second_B3HW: torch.Tensor, scale: float = 1.0
    ) -> torch.Tensor:
        """The frame in the middle, float32 `[B, 3, H, W]`, not clamped.

        Args:
            first_B3HW: float32, in [0, 1].
            second_B3HW: the frame that comes after it.
            scale: of the flow: 0.5 finds twice as large motion, in half the detail; a power of two.
        """
        height, width = first_B3HW.shape[2:]
        multiple = max(1, round(MULTIPLE / scale))
        first, second = (pad_to_multiple(frame, multiple) for frame in (first_B3HW, second_B3HW))
        dtype = self.block0.conv2[0].weight.dtype
        one, two = first, second
        mask = first.new_zeros((len(first), 1, *first.shape[2:]))
        flow = torch.zeros((len(first), 4, *first.shape[2:]), device=first.device)
        for block, reduction in zip((self.block0, self.block1, self.block2), REDUCTIONS, strict=True):
            # Each block sees the frames in both orders, so that time has no direction.
            forth, mask_forth = block(torch.cat((one, two, mask), dim=1).to(dtype), flow, reduction / scale)
            back, mask_back = block(
                torch.cat((two, one, -mask), dim=1).to(dtype), _swapped(flow), reduction / scale
            )
            flow = flow + (forth + _swapped(back)) / 2
            mask = mask + (mask_forth - mask_back) / 2
            one, two = warp(first, flow[:, :2]), warp(second, flow[:, 2:])
        weight = torch.sigmoid(mask)
        blended: torch.Tensor = one * weight + two * (1 - weight)
        return blended[:, :, :height, :width]


def _swapped(flow_B4HW: torch.Tensor) -> torch.Tensor:
    """The flow with its two halves in the other order."""
    return torch.cat((flow_B4HW[:, 2:], flow_B4HW[:, :2]), dim=1)


class _Block(nn.Module):
    """A change of the flow and of the mask, from a reduced picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = WIDTH // 2
        self.conv0 = nn.Sequential(_convolution(channels, half, 2), _convolution(half, WIDTH, 2))
        self.convblock0, self.convblock1, self.convblock2, self.convblock3 = (
            nn.Sequential(_convolution(WIDTH, WIDTH, 1), _convolution(WIDTH, WIDTH, 1)) for _ in range(4)
        )
        self.conv1, self.conv2 = _output(4), _output(1)

    def forward(
        self, state_BCHW: torch.Tensor, flow_B4HW: torch.Tensor, reduction: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        reduced = resize(state_BCHW, 1 / reduction)
        flow = resize(flow_B4HW, 1 / reduction) / reduction
        hidden = self.conv0(torch.cat((reduced, flow.to(reduced.dtype)), dim=1))
        for layers in (self.convblock0, self.convblock1, self.convblock2, self.convblock3):
            hidden = layers(hidden) + hidden
        # In float32: the flows of all blocks are added, and float16 has no fractions of pixels from 1024 on.
        change = resize(self.conv1(hidden), reduction).float() * reduction
        return change, resize(self.conv2(hidden), reduction).float()


def _convolution(channels: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 3, stride, 1), nn.PReLU(width))


def _output(channels: int) -> nn.Sequential:
    half = WIDTH // 2
    return nn.Sequential(
        nn.ConvTranspose2d(WIDTH, half, 4, 2, 1), nn.PReLU(half), nn.ConvTranspose2d(half, channels, 4, 2, 1)
    )
