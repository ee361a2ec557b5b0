"""The network of RIFE 4.25 and 4.26, which have the same architecture, in its published sizes.

B batch, C channels, H height, W width. Flows have four channels: x and y from the frame in between to the
first frame, then to the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from wangp_cli.networks.rife.warp import pad_to_multiple, resize, warp

FEATURES = 8
"""Channels that a block hands to the next one, besides flow and mask."""
Leaky = partial(nn.LeakyReLU, 0.2)


@dataclass(frozen=True)
class Sizes:
    """The sizes of a network; the defaults are those of 4.25 and 4.26.

    Args:
        widths: channels of the blocks.
        reductions: how many times smaller than the frames the blocks compute, at scale 1.
        head: channels of the features of a frame.
    """

    widths: tuple[int, ...] = (192, 128, 96, 64, 32)
    reductions: tuple[int, ...] = (16, 8, 4, 2, 1)
    head: int = 4


class IFNetV4(nn.Module):
    """Gives the frame at any time between two frames.

    Its state dict has the keys and shapes of the published files, without those of training.

    Args:
        sizes: of its layers.

    Source: the RIFE 4.25 reference code (MIT).
    """

    def __init__(self, sizes: Sizes = Sizes()) -> None:
        super().__init__()
        self.reductions = sizes.reductions
        self.encode = _Head(sizes.head)
        first = 2 * (3 + sizes.head) + 1
        later = first + 1 + FEATURES + 4
        for index, width in enumerate(sizes.widths):
            setattr(self, f"block{index}", _Block(later if index else first, width))

    def forward(
        self, first_B3HW: torch.Tensor, second_B3HW: torch.Tensor, time: float, scale: float = 1.0
    ) -> torch.Tensor:
        """The frame at a time, float32 `[B, 3, H, W]`, not clamped.

        Args:
            first_B3HW: the frame at time 0, float32, in [0, 1].
            second_B3HW: the frame at time 1.
            time: 0 to 1.
            scale: of the flow: 0.5 finds twice as large motion, in half the detail; a power of two.
        """
        height, width = first_B3HW.shape[2:]
        # A block halves the sides twice, after their reduction.
        multiple = max(1, round(4 * max(self.reductions) / scale))
        first, second = (pad_to_multiple(frame, multiple) for frame in (first_B3HW, second_B3HW))
        time_B1HW = first.new_full((len(first), 1, *first.shape[2:]), time)
        dtype = self.encode.cnn0.weight.dtype
        features = [self.encode(first.to(dtype)), self.encode(second.to(dtype))]
        flow: torch.Tensor | None = None
        state = [first, second, *features, time_B1HW]
        for index, reduction in enumerate(self.reductions):
            block = getattr(self, f"block{index}")
            inputs = torch.cat([part.to(dtype) for part in state], dim=1)
            change, mask, passed_on = block(inputs, flow, reduction / scale)
            flow = change if flow is None else flow + change
            warped = [warp(first, flow[:, :2]), warp(second, flow[:, 2:])]
            if index + 1 < len(self.reductions):
                warped_features = [warp(features[0], flow[:, :2]), warp(features[1], flow[:, 2:])]
                state = [*warped, *warped_features, time_B1HW, mask, passed_on]
        weight = torch.sigmoid(mask.float())
        blended: torch.Tensor = warped[0] * weight + warped[1] * (1 - weight)
        return blended[:, :, :height, :width]


class _Head(nn.Module):
    """Features of a frame at its full size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cnn0 = nn.Conv2d(3, 16, 3, 2, 1)
        self.cnn1 = nn.Conv2d(16, 16, 3, 1, 1)
        self.cnn2 = nn.Conv2d(16, 16, 3, 1, 1)
        self.cnn3 = nn.ConvTranspose2d(16, channels, 4, 2, 1)
        self.relu = Leaky()

    def forward(self, frame_B3HW: torch.Tensor) -> torch.Tensor:
        hidden = frame_B3HW
        for layer in (self.cnn0, self.cnn1, self.cnn2):
            hidden = self.relu(layer(hidden))
        features: torch.Tensor = self.cnn3(hidden)
        return features


class _Block(nn.Module):
    """A change of the flow, the mask and the features for the next block, from a reduced picture."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.conv0 = nn.Sequential(
            nn.Sequential(nn.Conv2d(channels, half, 3, 2, 1), Leaky()),
            nn.Sequential(nn.Conv2d(half, width, 3, 2, 1), Leaky()),
        )
        self.convblock = nn.Sequential(*(_ResidualConvolution(width) for _ in range(8)))
        outputs = 4 + 1 + FEATURES
        self.lastconv = nn.Sequential(nn.ConvTranspose2d(width, 4 * outputs, 4, 2, 1), nn.PixelShuffle(2))

    def forward(
        self, state_BCHW: torch.Tensor, flow_B4HW: torch.Tensor | None, reduction: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        reduced = resize(state_BCHW, 1 / reduction)
        if flow_B4HW is not None:
            flow = resize(flow_B4HW, 1 / reduction) / reduction
            reduced = torch.cat((reduced, flow.to(reduced.dtype)), dim=1)
        found = resize(self.lastconv(self.convblock(self.conv0(reduced))), reduction)
        # In float32: the flows of all blocks are added, and float16 has no fractions of pixels from 1024 on.
        return found[:, :4].float() * reduction, found[:, 4:5], found[:, 5:]


class _ResidualConvolution(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 1, 1)
        self.beta = nn.Parameter(torch.ones(1, width, 1, 1))
        self.relu = Leaky()

    def forward(self, hidden_BCHW: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.relu(self.conv(hidden_BCHW) * self.beta + hidden_BCHW)
        return out
