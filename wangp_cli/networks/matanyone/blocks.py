"""Blocks that several parts of MatAnyone share."""

# B batch, C channels, H height, W width, D channels of a feature

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 256
"""Channels of features, values and the sensory memory."""
STRIDE = 16
"""Pixels of the frame along one side of a cell of the coarsest map."""


class ChannelAttentionBlock(nn.Module):
    """A residual block whose output channels are weighted by an attention over channels.

    Source: Cutie, Cheng et al. 2024, arXiv:2310.12982; the attention is that of ECA-Net, arXiv:1910.03151.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.conv = nn.Conv1d(1, 1, 5, padding=2, bias=False)

    def forward(self, x_BDHW: Tensor) -> Tensor:
        """A map of the same shape."""
        y_BDHW = self.conv2(functional.relu(self.conv1(functional.relu(x_BDHW))))
        weight_B1D = self.conv(y_BDHW.mean((2, 3))[:, None]).sigmoid()
        return x_BDHW + y_BDHW * weight_B1D[:, 0, :, None, None]


class ObjectFusion(nn.Module):
    """Add features of the frame to those of the object, and refine the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.distributor = nn.ModuleDict(
            {"x_transform": nn.Conv2d(WIDTH, WIDTH, 1), "g_transform": nn.Conv2d(WIDTH, WIDTH, 1)}
        )
        self.block1 = ChannelAttentionBlock()
        self.block2 = ChannelAttentionBlock()

    def forward(self, frame_BDHW: Tensor, object_BDHW: Tensor) -> Tensor:
        """`[B, D, H, W]` of both together."""
        frame_BDHW = self.distributor["x_transform"](frame_BDHW)
        return self.block2(self.block1(frame_BDHW + self.distributor["g_transform"](object_BDHW)))


def gated_update(transform: nn.Conv2d, input_BDHW: Tensor, sensory_BDHW: Tensor) -> Tensor:
    """The next sensory memory, float32 `[B, D, H, W]`; half precision would add up errors over frames.

    Args:
        transform: convolution of both to forget gate, update gate and new values.
        input_BDHW: what is learnt from this frame.
        sensory_BDHW: the memory until now.
    """
    with torch.autocast(input_BDHW.device.type, enabled=False):
        gates = transform(torch.cat([input_BDHW.float(), sensory_BDHW], 1))
        forget_BDHW, update_BDHW, new_BDHW = gates.chunk(3, 1)
        update_BDHW = update_BDHW.sigmoid()
        kept_BDHW = forget_BDHW.sigmoid() * sensory_BDHW * (1 - update_BDHW)
        return kept_BDHW + update_BDHW * new_BDHW.tanh()


def gates_convolution() -> nn.Conv2d:
    """The convolution that `gated_update` takes."""
    return nn.Conv2d(2 * WIDTH, 3 * WIDTH, 3, padding=1)


class PositionalEncoding(nn.Module):
    """Sines and cosines of the position in a map, which is stretched to a fixed range.

    Channels of x come first, then those of y; sine and cosine alternate.
    """

    inv_freq: Tensor

    def __init__(self, scale: float = 32.0, temperature: float = 128.0) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("inv_freq", temperature ** -(torch.arange(0, 1, 4 / WIDTH)))

    def forward(self, height: int, width: int) -> Tensor:
        """Float32 `[height, width, D]`."""
        rows_HD, columns_WD = self._encode(height), self._encode(width)
        half = WIDTH // 2
        return torch.cat(
            [columns_WD.expand(height, width, half), rows_HD[:, None].expand(height, width, half)], 2
        )

    def _encode(self, length: int) -> Tensor:
        position_L = torch.arange(length, device=self.inv_freq.device, dtype=torch.float32)
        position_L = position_L / (length - 1 + 1e-6) * self.scale
        angle_LD = position_L[:, None] * self.inv_freq.float()
        return torch.stack([angle_LD.sin(), angle_LD.cos()], 2).flatten(1)


def shrink(map_BCHW: Tensor, height: int, width: int) -> Tensor:
    """A map averaged over areas."""
    return functional.interpolate(map_BCHW, (height, width), mode="area")
