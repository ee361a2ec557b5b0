"""Cuts between scenes and repeated frames, told by the similarity of two small pictures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from wangp_cli.media.clip import Frames
from wangp_cli.media.tensors import to_batch

CUT = 0.2
"""Similarity below which two frames are of different scenes."""
DUPLICATE = 0.996
"""Similarity above which the second frame repeats the first."""
_SIDE = 32
_REACH = 5
_SIGMA = 1.5
_STABILISERS = (0.01**2, 0.03**2)


def similarity(first: Frames, second: Frames) -> float:
    """Structural similarity of two frames at 32x32 pixels: 1 for equal frames, around 0 for unrelated ones.

    Args:
        first: `[1, H, W, 3]`, any dtype of `Frames`.
        second: of the same shape.

    Source: Wang et al. 2004, Image Quality Assessment, with a Gaussian window of 11 pixels over height, width
    and channels together, as tools around RIFE compute it; their thresholds are `CUT` and `DUPLICATE`.
    """
    with torch.inference_mode():
        one, other = _small(first), _small(second)
        means = _blur(torch.cat([one, other, one * one, other * other, one * other]))
        mean_one, mean_other, square_one, square_other, product = means
        variances = square_one - mean_one**2 + square_other - mean_other**2
        covariance = product - mean_one * mean_other
        luminance = (2 * mean_one * mean_other + _STABILISERS[0]) / (
            mean_one**2 + mean_other**2 + _STABILISERS[0]
        )
        structure = (2 * covariance + _STABILISERS[1]) / (variances + _STABILISERS[1])
        return float((luminance * structure).mean())


def _small(frame: Frames) -> Tensor:
    """`[1, 1, 3, 32, 32]`."""
    return functional.interpolate(to_batch(frame), size=(_SIDE, _SIDE), mode="bilinear")[:, None]


def _blur(volumes: Tensor) -> Tensor:
    """`[N, 1, C, H, W]` smoothed in three dimensions; the border is repeated."""
    offsets = torch.arange(-_REACH, _REACH + 1, dtype=volumes.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel = kernel / kernel.sum()
    volumes = functional.pad(volumes, (_REACH,) * 6, mode="replicate")
    for shape in ((1, 1, 1, 1, -1), (1, 1, 1, -1, 1), (1, 1, -1, 1, 1)):
        volumes = functional.conv3d(volumes, kernel.reshape(shape))
    return volumes
