"""The decoder of MatAnyone, from the coarsest map to alpha at full resolution."""

# B batch, C channels, H height, W width

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from wangp_cli.networks.matanyone.blocks import WIDTH, gated_update, gates_convolution, shrink


class ResidualBlock(nn.Module):
    """Two convolutions after a rectifier each, with a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.downsample = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The map at its new width."""
        return self.conv2(functional.relu(self.conv1(functional.relu(x_BCHW)))) + self.downsample(x_BCHW)


class UpsamplingBlock(nn.Module):
    """Double the resolution of a map and add the features of the frame there."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.out_conv = ResidualBlock(inputs, outputs)

    def forward(self, coarse_BCHW: Tensor, skip_BCHW: Tensor) -> Tensor:
        """The map at the resolution of `skip_BCHW`."""
        return self.out_conv(functional.interpolate(coarse_BCHW, scale_factor=2, mode="bilinear") + skip_BCHW)


class SkipProjection(nn.Module):
    """Projections of the features of the frame to the widths of the decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 1) for inputs, outputs in ((512, 256), (256, 128), (64, 128), (3, 64))
        )


class DecoderUpdate(nn.Module):
    """Update of the sensory memory by all maps of the decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.g16_conv = nn.Conv2d(256, WIDTH, 1)
        self.g8_conv = nn.Conv2d(128, WIDTH, 1)
        self.g4_conv = nn.Conv2d(128, WIDTH, 1)
        self.g2_conv = nn.Conv2d(64, WIDTH, 1)
        self.g1_conv = nn.Conv2d(16 + 1, WIDTH, 1)
        self.transform = gates_convolution()

    def forward(self, maps: Sequence[Tensor], sensory_BDHW: Tensor) -> Tensor:
        """The sensory memory after a frame.

        Args:
            maps: of the decoder at stride 16, 8, 4, 2 and 1.
            sensory_BDHW: the memory until now.
        """
        projections = (self.g16_conv, self.g8_conv, self.g4_conv, self.g2_conv, self.g1_conv)
        height, width = sensory_BDHW.shape[2:]
        # Averages commute with a 1x1 convolution, and small maps are cheaper to project.
        input_BDHW = sum(
            project(shrink(map_, height, width)) for project, map_ in zip(projections, maps, strict=True)
        )
        return gated_update(self.transform, input_BDHW, sensory_BDHW)


class MaskDecoder(nn.Module):
    """Alpha of the object at full resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.sensory_update = DecoderUpdate()
        self.decoder_feat_proc = SkipProjection()
        self.up_16_8 = UpsamplingBlock(256, 128)
        self.up_8_4 = UpsamplingBlock(128, 128)
        self.up_4_2 = UpsamplingBlock(128, 64)
        self.up_2_1 = UpsamplingBlock(64, 16)
        # Trained on segmentation; mattes do not need it.
        self.pred_seg = nn.Conv2d(16, 1, 3, padding=1)
        self.pred_mat = nn.Conv2d(16, 1, 3, padding=1)

    def forward(
        self, readout_BDHW: Tensor, skips: Sequence[Tensor], sensory_BDHW: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Alpha float32 `[B, 1, H, W]` in [0, 1], and the sensory memory after the frame.

        Args:
            readout_BDHW: the map of the object transformer.
            skips: features of the frame at stride 8, 4 and 2, and the frame itself.
            sensory_BDHW: the memory until now.
        """
        maps = [readout_BDHW]
        upsamplings = (self.up_16_8, self.up_8_4, self.up_4_2, self.up_2_1)
        for upsample, project, skip in zip(
            upsamplings, self.decoder_feat_proc.transforms, skips, strict=True
        ):
            maps.append(upsample(maps[-1], project(skip)))
        with torch.autocast(readout_BDHW.device.type, enabled=False):
            raw_B1HW = self.pred_mat(functional.relu(maps[-1].float()))
        maps[-1] = torch.cat([maps[-1].float(), raw_B1HW], 1)
        return raw_B1HW.clamp(0, 1), self.sensory_update(maps, sensory_BDHW)
