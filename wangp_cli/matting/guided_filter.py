"""The guided filter: alpha that follows the edges of a frame."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Channels of the covariance matrix, upper triangle."""


def guided_filter(guide: Tensor, alpha: Tensor, radius: int, epsilon: float) -> Tensor:
    """Alpha as a linear function of the colours around each pixel.

    Args:
        guide: float32 `[1, 3, H, W]` in [0, 1], a frame; its size is that of the result.
        alpha: float32 `[1, 1, h, w]`; of a smaller size it is filtered there, and the functions are
            enlarged.
        radius: of the windows, in pixels of `alpha`.
        epsilon: variance of colours below which a window counts as flat.

    Returns:
        float32 `[1, 1, H, W]`, which may leave [0, 1].

    Source: He, Sun and Tang 2013, Guided Image Filtering, with a colour guide; He and Sun 2015, Fast Guided
    Filter, for the smaller size.
    """
    size = alpha.shape[2:]
    small = guide if guide.shape[2:] == size else functional.interpolate(guide, size, mode="area")
    slope, offset = _linear_functions(small, alpha, radius, epsilon)
    if guide.shape[2:] != size:
        slope, offset = (
            functional.interpolate(part, guide.shape[2:], mode="bilinear") for part in (slope, offset)
        )
    return (slope * guide).sum(dim=1, keepdim=True) + offset


def _linear_functions(guide: Tensor, alpha: Tensor, radius: int, epsilon: float) -> tuple[Tensor, Tensor]:
    """Slope `[1, 3, H, W]` and offset `[1, 1, H, W]` of each pixel, averages over the windows it lies in."""
    products = torch.cat([guide[:, i : i + 1] * guide[:, j : j + 1] for i, j in _PAIRS], dim=1)
    means = _box_mean(torch.cat([guide, alpha, guide * alpha, products], dim=1), radius)
    colour, level, both, squares = means.split((3, 1, 3, len(_PAIRS)), dim=1)
    variance = {
        pair: squares[0, number] - colour[0, pair[0]] * colour[0, pair[1]]
        for number, pair in enumerate(_PAIRS)
    }
    rows = [torch.stack([variance[min(i, j), max(i, j)] for j in range(3)], dim=-1) for i in range(3)]
    matrix = torch.stack(rows, dim=-2) + epsilon * torch.eye(3, device=guide.device)
    covariance = (both - colour * level)[0].permute(1, 2, 0)
    slope = torch.linalg.solve(matrix, covariance).permute(2, 0, 1)[None]
    offset = level - (slope * colour).sum(dim=1, keepdim=True)
    return _box_mean(slope, radius), _box_mean(offset, radius)


def _box_mean(planes: Tensor, radius: int) -> Tensor:
    """Means over squares of `2 * radius + 1` pixels; the border is repeated."""
    padded = functional.pad(planes, (radius,) * 4, mode="replicate")
    return functional.avg_pool2d(padded, 2 * radius + 1, stride=1)
