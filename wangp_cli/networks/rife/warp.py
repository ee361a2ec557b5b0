"""Warp, pad and resize pictures and flows.

B batch, C channels, H height, W width. Flows are in pixels: channels x and y.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def warp(picture_BCHW: torch.Tensor, flow_B2HW: torch.Tensor) -> torch.Tensor:
    """Sample a picture at each pixel's place plus its flow: bilinear, borders repeated.

    Computed in float32, because float16 cannot tell the pixels of a large frame apart; returned in the dtype
    of the picture.
    """
    height, width = flow_B2HW.shape[2:]
    options = {"dtype": torch.float32, "device": flow_B2HW.device}
    y_H11 = torch.linspace(-1, 1, height, **options)[:, None]
    x_1W = torch.linspace(-1, 1, width, **options)[None]
    flow = flow_B2HW.float()
    grid_BHW2 = torch.stack(
        (x_1W + flow[:, 0] / ((width - 1) / 2), y_H11 + flow[:, 1] / ((height - 1) / 2)), dim=-1
    )
    warped = functional.grid_sample(
        picture_BCHW.float(), grid_BHW2, mode="bilinear", padding_mode="border", align_corners=True
    )
    return warped.to(picture_BCHW.dtype)


def pad_to_multiple(picture_BCHW: torch.Tensor, multiple: int) -> torch.Tensor:
    """Add zeros at the right and at the bottom up to a multiple of pixels."""
    height, width = picture_BCHW.shape[2:]
    return functional.pad(picture_BCHW, (0, -width % multiple, 0, -height % multiple))


def resize(picture_BCHW: torch.Tensor, factor: float) -> torch.Tensor:
    """Resize bilinearly."""
    if math.isclose(factor, 1):
        return picture_BCHW
    return functional.interpolate(picture_BCHW, scale_factor=factor, mode="bilinear", align_corners=False)
