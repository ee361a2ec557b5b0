"""ViTMatte: soft edges for a matte, frame by frame, from a band along its edge where nothing is certain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from wangp_cli.errors import ModelError
from wangp_cli.matting.matter import Mask
from wangp_cli.matting.morphology import erode
from wangp_cli.media.tensors import to_batch
from wangp_cli.pipelines.checkpoints.pretrained import load_transformers_model, model_type

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.tasks.runtime import Dtype

BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255
CERTAIN = 0.95
"""From this alpha on, a pixel away from the edge is all foreground; below 1 minus this, all background."""
BAND = 1 / 48
"""How far the uncertain band reaches to each side of the edge, in parts of the shorter side of the frame."""
STEP = 32
"""Width and height of what the network sees are multiples of it."""
MOST_PIXELS = 1920 * 1088
"""Larger frames are reduced to so many: the memory of its attention grows with the square of their number."""


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> Refiner:
    """The loader of the architecture `vitmatte`.

    Raises:
        ModelError: the folder holds another model, or its weights are missing or broken.
    """
    if (kind := model_type(weights.folder)) != "vitmatte":
        raise ModelError(
            f"{weights.folder} holds a model of type {kind}; vitmatte is wanted",
            hint="a repository like hustvl/vitmatte-small-composition-1k",
        )
    from transformers import VitMatteForImageMatting

    return Refiner(
        load_transformers_model(VitMatteForImageMatting, weights.folder, getattr(torch, dtype), device)
    )


class Refiner:
    """A loaded model.

    Args:
        model: `VitMatteForImageMatting`.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def refine(self, frame: NDArray[Any], alpha: Mask) -> Mask:
        """The alpha of one frame with the model's values along its edge.

        Args:
            frame: `[H, W, 3]`, any dtype of `Frames`.
            alpha: float32 `[H, W]` in [0, 1], a mask or a matte.

        Returns:
            float32 `[H, W]` in [0, 1]: 0 and 1 away from the edge.
        """
        known = trimap(alpha, max(1, round(min(alpha.shape) * BAND)))
        certain: Mask = (known == FOREGROUND).astype(np.float32)
        unknown = known == UNKNOWN
        if not unknown.any():
            return certain
        height, width = alpha.shape
        reduced = min(1.0, math.sqrt(MOST_PIXELS / (height * width)))
        shape = (max(1, int(height * reduced)), max(1, int(width * reduced)))
        with torch.inference_mode():
            pixels = padded(inputs(frame, known, shape)).to(self._model.device, self._model.dtype)
            seen = self._model(pixels).alphas[..., : shape[0], : shape[1]].float()
            whole = functional.interpolate(seen, (height, width), mode="bilinear", align_corners=False)
            found = whole[0, 0].cpu().numpy()
        certain[unknown] = found[unknown]
        return certain


def trimap(alpha: Mask, band: int) -> NDArray[np.uint8]:
    """What of a frame is foreground, background and unknown.

    Args:
        alpha: float32 `[H, W]` in [0, 1].
        band: pixels to each side of the edge that are unknown.

    Returns:
        uint8 `[H, W]` of `FOREGROUND`, `BACKGROUND` and `UNKNOWN`.
    """
    size = 2 * band + 1
    foreground = erode((alpha >= CERTAIN).astype(np.float32), size)
    background = erode((alpha <= 1 - CERTAIN).astype(np.float32), size)
    known = np.where(foreground > 0, FOREGROUND, np.where(background > 0, BACKGROUND, UNKNOWN))
    return known.astype(np.uint8)


def inputs(frame: NDArray[Any], known: NDArray[np.uint8], shape: tuple[int, int]) -> torch.Tensor:
    """A frame and its trimap as the network takes them, at a size no larger than theirs.

    Args:
        frame: `[H, W, 3]`, any dtype of `Frames`.
        known: its trimap.
        shape: height and width.

    Returns:
        float32 `[1, 4, height, width]`: RGB in [-1, 1] and the trimap in [0, 1].
    """
    rgb = to_batch(frame[None]) * 2 - 1
    hint = torch.from_numpy(known)[None, None].float() / 255
    if shape != known.shape:
        rgb = functional.interpolate(rgb, shape, mode="area")
        hint = functional.interpolate(hint, shape, mode="nearest-exact")
    return torch.cat([rgb, hint], dim=1)


def padded(pixels: torch.Tensor) -> torch.Tensor:
    """The input of the network, with zeros at the right and at the bottom up to multiples of `STEP`."""
    height, width = pixels.shape[2:]
    return functional.pad(pixels, (0, -width % STEP, 0, -height % STEP))
