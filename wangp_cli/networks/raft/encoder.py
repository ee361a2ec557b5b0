"""The encoders of RAFT: of the features that are matched, and of the context of the first frame."""

# B batch, C channels, H height, W width

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

FEATURES = 256
"""Channels of an encoder's map."""
Norm = Callable[[int], nn.Module]


class Encoder(nn.Module):
    """Six residual blocks, to a map at an eighth of the resolution.

    Args:
        norm: makes a normalisation for a number of channels.
    """

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.norm1 = norm(64)
        self.layer1 = nn.Sequential(Block(64, 64, norm), Block(64, 64, norm))
        self.layer2 = nn.Sequential(Block(64, 96, norm, 2), Block(96, 96, norm))
        self.layer3 = nn.Sequential(Block(96, 128, norm, 2), Block(128, 128, norm))
        self.conv2 = nn.Conv2d(128, FEATURES, 1)

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """`[B, 256, H / 8, W / 8]` of images in [-1, 1]."""
        x_BCHW = functional.relu(self.norm1(self.conv1(image_B3HW)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x_BCHW))))


class Block(nn.Module):
    """Two convolutions with normalisation, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, norm: Norm, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm1, self.norm2 = norm(outputs), norm(outputs)
        if stride > 1:
            # One module by two names: published files hold it twice.
            self.norm3 = norm(outputs)
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), self.norm3)
        else:
            self.downsample = nn.Identity()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The map at its new width and stride."""
        y_BCHW = functional.relu(self.norm1(self.conv1(x_BCHW)))
        y_BCHW = functional.relu(self.norm2(self.conv2(y_BCHW)))
        return functional.relu(self.downsample(x_BCHW) + y_BCHW)
