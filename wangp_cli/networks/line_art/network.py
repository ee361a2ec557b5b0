"""The generator of Informative Drawings: lines of a picture, dark on white.

B batch, C channels, H height, W width
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_WIDTHS = (64, 128, 256)
_BLOCKS = 3


class LineArt(nn.Module):
    """Lines of pictures.

    Source: Chan, Durand and Isola 2022, Learning to generate line drawings that convey geometry and
    semantics, arXiv:2203.12691; a ResNet generator as in Johnson et al. 2016. Its parts have the names that
    they have in files.
    """

    def __init__(self, widths: tuple[int, int, int] = _WIDTHS, blocks: int = _BLOCKS) -> None:
        super().__init__()
        first, second, third = widths
        self.model0 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, first, 7), *_norm(first))
        self.model1 = nn.Sequential(
            nn.Conv2d(first, second, 3, stride=2, padding=1), *_norm(second),
            nn.Conv2d(second, third, 3, stride=2, padding=1), *_norm(third),
        )  # fmt: skip
        self.model2 = nn.Sequential(*(_Residual(third) for _ in range(blocks)))
        self.model3 = nn.Sequential(
            nn.ConvTranspose2d(third, second, 3, stride=2, padding=1, output_padding=1), *_norm(second),
            nn.ConvTranspose2d(second, first, 3, stride=2, padding=1, output_padding=1), *_norm(first),
        )  # fmt: skip
        self.model4 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(first, 1, 7), nn.Sigmoid())

    def forward(self, pictures_BCHW: Tensor) -> Tensor:
        """Lines of pictures.

        Args:
            pictures_BCHW: RGB in [0, 1], H and W multiples of 4.

        Returns:
            `[B, 1, H, W]` in [0, 1]; 0 is a line, 1 is paper.
        """
        x_BCHW = self.model1(self.model0(pictures_BCHW))
        lines_B1HW: Tensor = self.model4(self.model3(self.model2(x_BCHW)))
        return lines_B1HW


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), *_norm(width),
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width),
        )  # fmt: skip

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.add(x_BCHW, self.conv_block(x_BCHW))


def _norm(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(width), nn.ReLU()
