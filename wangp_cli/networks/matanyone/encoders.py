"""Encoders of MatAnyone: of frames, of masks, and of the keys of the memory."""

# B batch, C channels, H height, W width, D channels of a feature; maps are at stride 16 unless named

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from wangp_cli.networks.matanyone.blocks import WIDTH, ObjectFusion, gated_update, gates_convolution

KEY_WIDTH = 64
"""Channels of a key of the memory."""


class Bottleneck(nn.Module):
    """A residual block of ResNet-50; the middle convolution has the stride."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The map at its new width and stride."""
        y_BCHW = functional.relu(self.bn1(self.conv1(x_BCHW)))
        y_BCHW = functional.relu(self.bn2(self.conv2(y_BCHW)))
        y_BCHW = self.bn3(self.conv3(y_BCHW))
        return functional.relu(y_BCHW + (x_BCHW if self.downsample is None else self.downsample(x_BCHW)))


class BasicBlock(nn.Module):
    """A residual block of ResNet-18."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The map at its new width and stride."""
        y_BCHW = functional.relu(self.bn1(self.conv1(x_BCHW)))
        y_BCHW = self.bn2(self.conv2(y_BCHW))
        return functional.relu(y_BCHW + (x_BCHW if self.downsample is None else self.downsample(x_BCHW)))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class PixelEncoder(nn.Module):
    """ResNet-50 up to its third stage."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.res2 = nn.Sequential(Bottleneck(64, 64), Bottleneck(256, 64), Bottleneck(256, 64))
        self.layer2 = nn.Sequential(Bottleneck(256, 128, 2), *(Bottleneck(512, 128) for _ in range(3)))
        self.layer3 = nn.Sequential(Bottleneck(512, 256, 2), *(Bottleneck(1024, 256) for _ in range(5)))

    def forward(self, image_B3HW: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps of 1024, 512, 256 and 64 channels at stride 16, 8, 4 and 2."""
        half = functional.relu(self.bn1(self.conv1(image_B3HW)))
        quarter = self.res2(functional.max_pool2d(half, 3, 2, 1))
        eighth = self.layer2(quarter)
        return self.layer3(eighth), eighth, quarter, half


class KeyProjection(nn.Module):
    """Key, shrinkage and selection of a frame: how the memory is searched.

    Source: XMem, Cheng and Schwing 2022, arXiv:2207.07115, section 3.3.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pix_feat_proj = nn.Conv2d(1024, WIDTH, 1)
        self.key_proj = nn.Conv2d(WIDTH, KEY_WIDTH, 3, padding=1)
        self.d_proj = nn.Conv2d(WIDTH, 1, 3, padding=1)
        self.e_proj = nn.Conv2d(WIDTH, KEY_WIDTH, 3, padding=1)

    def forward(self, coarse_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Float32 key `[B, 64, H, W]`, shrinkage `[B, 1, H, W]` from 1, selection as the key in [0, 1]."""
        x_BDHW = self.pix_feat_proj(coarse_BCHW)
        with torch.autocast(x_BDHW.device.type, enabled=False):
            x_BDHW = x_BDHW.float()
            return self.key_proj(x_BDHW), self.d_proj(x_BDHW) ** 2 + 1, self.e_proj(x_BDHW).sigmoid()


class MaskEncoder(nn.Module):
    """ResNet-18 over a frame and its mask, fused with features of the frame: the value of the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64), BasicBlock(64, 64))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256))
        self.fuser = ObjectFusion()
        self.sensory_update = nn.ModuleDict({"transform": gates_convolution()})

    def forward(self, image_B3HW: Tensor, alpha_B1HW: Tensor, feature_BDHW: Tensor) -> Tensor:
        """The value `[B, D, H/16, W/16]` of a frame with its alpha."""
        x_BCHW = self.bn1(self.conv1(torch.cat([image_B3HW, alpha_B1HW], 1)))
        x_BCHW = functional.relu(functional.max_pool2d(x_BCHW, 3, 2, 1))
        return self.fuser(feature_BDHW, self.layer3(self.layer2(self.layer1(x_BCHW))))

    def update_sensory(self, value_BDHW: Tensor, sensory_BDHW: Tensor) -> Tensor:
        """The sensory memory after a frame that enters the memory."""
        return gated_update(self.sensory_update["transform"], value_BDHW, sensory_BDHW)
