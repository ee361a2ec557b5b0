"""One refinement of the flow by RAFT."""

# B batch, C channels, H height, W width

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from wangp_cli.networks.raft.correlation import PLACES

HIDDEN = 128
"""Channels of the hidden state, of the context and of the motion."""


class MotionEncoder(nn.Module):
    """Features of the correlations and of the flow until now."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(PLACES, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(192 + 64, HIDDEN - 2, 3, padding=1)

    def forward(self, flow_B2HW: Tensor, found_BCHW: Tensor) -> Tensor:
        """`[B, 128, H, W]`, of which the last two channels are the flow."""
        found_BCHW = functional.relu(self.convc2(functional.relu(self.convc1(found_BCHW))))
        moved_BCHW = functional.relu(self.convf2(functional.relu(self.convf1(flow_B2HW))))
        both_BCHW = functional.relu(self.conv(torch.cat([found_BCHW, moved_BCHW], 1)))
        return torch.cat([both_BCHW, flow_B2HW], 1)


class SeparableGRU(nn.Module):
    """A recurrent unit of convolutions across and then down."""

    def __init__(self) -> None:
        super().__init__()
        for gate in ("z", "r", "q"):
            self.add_module(f"conv{gate}1", nn.Conv2d(3 * HIDDEN, HIDDEN, (1, 5), padding=(0, 2)))
            self.add_module(f"conv{gate}2", nn.Conv2d(3 * HIDDEN, HIDDEN, (5, 1), padding=(2, 0)))

    def forward(self, hidden_BCHW: Tensor, input_BCHW: Tensor) -> Tensor:
        """The next hidden state."""
        hidden_BCHW = _gated(hidden_BCHW, input_BCHW, self.convz1, self.convr1, self.convq1)
        return _gated(hidden_BCHW, input_BCHW, self.convz2, self.convr2, self.convq2)


def _gated(
    hidden_BCHW: Tensor, input_BCHW: Tensor, update: nn.Module, reset: nn.Module, new: nn.Module
) -> Tensor:
    both_BCHW = torch.cat([hidden_BCHW, input_BCHW], 1)
    share_BCHW = update(both_BCHW).sigmoid()
    kept_BCHW = reset(both_BCHW).sigmoid() * hidden_BCHW
    new_BCHW = new(torch.cat([kept_BCHW, input_BCHW], 1)).tanh()
    return (1 - share_BCHW) * hidden_BCHW + share_BCHW * new_BCHW


class FlowHead(nn.Module):
    """The change of the flow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(HIDDEN, 256, 3, padding=1)
        self.conv2 = nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, hidden_BCHW: Tensor) -> Tensor:
        """`[B, 2, H, W]` in pixels of the map."""
        return self.conv2(functional.relu(self.conv1(hidden_BCHW)))


class UpdateBlock(nn.Module):
    """Hidden state and flow of the next refinement."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder()
        self.gru = SeparableGRU()
        self.flow_head = FlowHead()
        self.mask = nn.Sequential(nn.Conv2d(HIDDEN, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 64 * 9, 1))

    def forward(
        self, hidden_BCHW: Tensor, context_BCHW: Tensor, found_BCHW: Tensor, flow_B2HW: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The hidden state and the change of the flow.

        Args:
            hidden_BCHW: until now.
            context_BCHW: of the first frame.
            found_BCHW: correlations around the places that the flow leads to.
            flow_B2HW: until now, in pixels of the map.
        """
        motion_BCHW = self.encoder(flow_B2HW, found_BCHW)
        hidden_BCHW = self.gru(hidden_BCHW, torch.cat([context_BCHW, motion_BCHW], 1))
        return hidden_BCHW, self.flow_head(hidden_BCHW)

    def upsample(self, hidden_BCHW: Tensor, flow_B2HW: Tensor) -> Tensor:
        """The flow at full resolution, in its pixels: convex combinations of nine values of the map."""
        batch, _, height, width = flow_B2HW.shape
        # A quarter of the logits: training scaled them so to balance gradients.
        weight = (0.25 * self.mask(hidden_BCHW)).view(batch, 1, 9, 8, 8, height, width).softmax(2)
        near = functional.unfold(8 * flow_B2HW, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
        return (weight * near).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, 8 * height, 8 * width)
