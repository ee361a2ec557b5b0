"""Frames to the pictures that SAM sees, and its masks back to the size of the frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from wangp_cli.media.clip import as_uint8


@dataclass(frozen=True)
class Preprocessing:
    """How a model wants its pictures.

    Args:
        side: of the square that frames are resized to, whatever their shape.
        mean, deviation: of red, green and blue, by which they are normalised.
    """

    side: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def pixels(self, frame: NDArray[Any]) -> torch.Tensor:
        """A frame `[H, W, 3]`, any dtype of `Frames`, as float32 `[3, side, side]`."""
        rgb = torch.from_numpy(np.ascontiguousarray(as_uint8(frame))).permute(2, 0, 1)[None]
        shape = (self.side, self.side)
        # The stock processors resize in 8 bits too.
        resized = functional.interpolate(rgb, shape, mode="bilinear", align_corners=False, antialias=True)
        mean, deviation = (torch.tensor(values).view(3, 1, 1) * 255 for values in (self.mean, self.deviation))
        return ((resized.float() - mean) / deviation)[0]

    def mask(self, mask: NDArray[np.float32]) -> torch.Tensor:
        """A mask `[H, W]` in [0, 1] as float32 `[1, 1, side, side]` of zeros and ones."""
        values = torch.from_numpy(np.ascontiguousarray(mask)).float()[None, None]
        shape = (self.side, self.side)
        resized = functional.interpolate(values, shape, mode="bilinear", align_corners=False, antialias=True)
        return (resized >= 0.5).float()


SAM2_COLOURS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SAM3_COLOURS = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def masks_of(logits: torch.Tensor, height: int, width: int) -> NDArray[np.float32]:
    """Masks in the size of the frames: 1 where a logit, resized to it, is positive.

    Args:
        logits: `[N, h, w]`.

    Returns:
        float32 `[N, H, W]`, of zeros and ones.
    """
    resized = functional.interpolate(
        logits[:, None].float(), (height, width), mode="bilinear", align_corners=False
    )
    masks: NDArray[np.float32] = (resized[:, 0] > 0).float().cpu().numpy()
    return masks
