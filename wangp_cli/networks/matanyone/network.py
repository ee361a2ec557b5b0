"""The network of MatAnyone: one step of matting in the parts that inference combines.

MatAnyone and MatAnyone 2 are files of this one network, for one object at a time.

Source: Yang et al. 2025, arXiv:2501.14677, on top of Cutie, arXiv:2310.12982.
"""

# B batch, D channels of a feature, H height, W width, S summaries; maps are at stride 16 unless named

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from wangp_cli.networks.matanyone.blocks import WIDTH, ObjectFusion, shrink
from wangp_cli.networks.matanyone.decoder import MaskDecoder
from wangp_cli.networks.matanyone.encoders import KeyProjection, MaskEncoder, PixelEncoder
from wangp_cli.networks.matanyone.object_transformer import ObjectSummarizer, ObjectTransformer

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameFeatures:
    """What the network sees in a frame, whatever the object is.

    Args:
        image: `[1, 3, 16 H, 16 W]`, normalised.
        skips: maps at stride 8, 4 and 2, and the image.
        feature: `[1, D, H, W]`.
        key: float32 `[1, 64, H, W]`.
        shrinkage: float32 `[1, 1, H, W]`.
        selection: float32 `[1, 64, H, W]`.
    """

    image: Tensor
    skips: tuple[Tensor, Tensor, Tensor, Tensor]
    feature: Tensor
    key: Tensor
    shrinkage: Tensor
    selection: Tensor


class PixelFuser(nn.Module):
    """Add the sensory memory to what was read from the memory, and fuse it with the frame."""

    def __init__(self) -> None:
        super().__init__()
        self.fuser = ObjectFusion()
        self.sensory_compress = nn.Conv2d(WIDTH + 1, WIDTH, 1)

    def forward(
        self, feature_BDHW: Tensor, readout_BDHW: Tensor, sensory_BDHW: Tensor, alpha_B1HW: Tensor
    ) -> Tensor:
        """`[B, D, H, W]`; alpha is that of the frame before, at stride 16."""
        sensory = self.sensory_compress(torch.cat([sensory_BDHW, alpha_B1HW], 1))
        return self.fuser(feature_BDHW, readout_BDHW + sensory)


class ChangeNetwork(nn.Module):
    """Where the object changed since the frame before."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1x1_v2 = nn.Conv2d(3 * WIDTH + 1, 64, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv3x3 = nn.Conv2d(64, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3x3_out = nn.Conv2d(32, 1, 3, padding=1, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Float32 `[B, 1, H, W]` in [0, 1]; 1 where the memory is to be trusted, not the frame before."""
        with torch.autocast(x_BCHW.device.type, enabled=False):
            y_BCHW = functional.relu(self.bn1(self.conv1x1_v2(x_BCHW.float())))
            y_BCHW = functional.relu(self.bn2(self.conv3x3(y_BCHW)))
            return self.conv3x3_out(y_BCHW).sigmoid()


class MatAnyone(nn.Module):
    """MatAnyone for one object; parameters have the names of its published files."""

    def __init__(self) -> None:
        super().__init__()
        self.pixel_encoder = PixelEncoder()
        self.pix_feat_proj = nn.Conv2d(1024, WIDTH, 1)
        self.key_proj = KeyProjection()
        self.mask_encoder = MaskEncoder()
        self.mask_decoder = MaskDecoder()
        self.pixel_fuser = PixelFuser()
        self.object_transformer = ObjectTransformer()
        self.object_summarizer = ObjectSummarizer()
        # Training only; published files hold it.
        self.aux_computer = nn.ModuleDict(
            {"sensory_aux": nn.ModuleDict({"projection": nn.Conv2d(WIDTH, WIDTH + 1, 1)})}
        )
        self.temp_sparity = ChangeNetwork()

    def encode_frame(self, image_B3HW: Tensor) -> FrameFeatures:
        """Features of a frame.

        Args:
            image_B3HW: float32 RGB in [0, 1] at full resolution; height and width are multiples of 16.
        """
        mean, std = (image_B3HW.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        image_B3HW = (image_B3HW - mean) / std
        coarse, eighth, quarter, half = self.pixel_encoder(image_B3HW)
        key, shrinkage, selection = self.key_proj(coarse)
        return FrameFeatures(
            image=image_B3HW,
            skips=(eighth, quarter, half, image_B3HW),
            feature=self.pix_feat_proj(coarse),
            key=key,
            shrinkage=shrinkage,
            selection=selection,
        )

    def encode_alpha(self, frame: FrameFeatures, alpha_B1HW: Tensor) -> Tensor:
        """The value `[B, D, H, W]` of a frame with its alpha at full resolution."""
        return self.mask_encoder(frame.image, alpha_B1HW, frame.feature)

    def decode(
        self,
        frame: FrameFeatures,
        readout_BDHW: Tensor,
        object_BSE: Tensor,
        sensory_BDHW: Tensor,
        last_B1HW: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Alpha float32 `[B, 1, 16 H, 16 W]` in [0, 1], and the sensory memory after the frame.

        Args:
            frame: of `encode_frame`.
            readout_BDHW: what was read from the memory for it.
            object_BSE: the object memory.
            sensory_BDHW: the sensory memory until now.
            last_B1HW: alpha of the frame before at full resolution.
        """
        last_B1HW = shrink(last_B1HW, *readout_BDHW.shape[2:])
        pixel_BDHW = self.pixel_fuser(frame.feature, readout_BDHW, sensory_BDHW, last_B1HW)
        pixel_BDHW = self.object_transformer(pixel_BDHW, object_BSE)
        alpha_B1HW, sensory_BDHW = self.mask_decoder(pixel_BDHW, frame.skips, sensory_BDHW)
        return alpha_B1HW, sensory_BDHW

    def change(
        self, before: FrameFeatures, frame: FrameFeatures, last_B1HW: Tensor, difference_BDHW: Tensor
    ) -> Tensor:
        """Float32 `[B, 1, H, W]` in [0, 1]: how much of the memory to take, instead of the frame before.

        Args:
            before: the frame before.
            frame: the frame.
            last_B1HW: alpha of the frame before at full resolution.
            difference_BDHW: what was read from the memory, less the value of the frame before.
        """
        last_B1HW = shrink(last_B1HW, *difference_BDHW.shape[2:])
        return self.temp_sparity(torch.cat([before.feature, frame.feature, last_B1HW, difference_BDHW], 1))
