"""Dense optical flow between two pictures, without weights: a search and least squares on a pyramid.

N batch, C channels, H height, W width
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

_SMALLEST_SIDE = 12
"""Pixels of the shorter side of the coarsest level, at least."""
_SEARCHED_LEVELS = 3
"""How many of the coarsest levels are always searched; below them all but the finest."""
_STEPS = 4
"""Least squares steps per level."""
_WINDOW_PIXELS = 2.5
_TIKHONOV = 0.02
_LEAST_DIFFERENCE = 0.02
"""Keeps the weight of a pixel that fits exactly finite."""
_PER_PIXEL_OFFSET = 0.002
"""Cost of a searched offset per pixel, so that flat areas keep the offset they have."""


def flow_between(first: Tensor, second: Tensor) -> Tensor:
    """Where each pixel of the first picture has moved to in the second.

    Args:
        first: float32 `[N, C, H, W]`, in [0, 1].
        second: of the same shape.

    Returns:
        float32 `[N, 2, H, W]`, pixels to the right and down: `warp(second, flow)` looks like `first`.

    Source: coarse to fine as in Lucas and Kanade 1981 and Bouguet 2001, symmetric gradients as in
    Birchfield's notes of 1997; robust weights and median filter as in Sun, Roth and Black 2014.
    """
    pyramid = _pyramid(first, second)
    flow = torch.zeros_like(pyramid[-1][0][:, :2])
    for level in reversed(range(len(pyramid))):
        first, second = pyramid[level]
        coarsest = level == len(pyramid) - 1
        if not coarsest:
            flow = _doubled(flow, first.shape[2], first.shape[3])
        if level >= min(1, len(pyramid) - _SEARCHED_LEVELS):
            flow = _searched(first, second, flow, reach=3 if coarsest else 2)
        flow = _refined(first, second, flow)
    return flow


def flows_between(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The flow from the first picture to the second, and that from the second to the first."""
    both = flow_between(torch.cat([first, second]), torch.cat([second, first]))
    forward, backward = both.chunk(2)
    return forward, backward


def reliability(first: Tensor, second: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
    """How far the flow of each pixel of the first picture can be trusted.

    Args:
        first: the first picture.
        second: the second.
        forward: flow from the first to the second.
        backward: flow from the second to the first.

    Returns:
        float32 `[N, 1, H, W]`, 1 where both flows agree and the colours are the same, towards 0 where the
        pixel is hidden in the second picture.
    """
    moved = warp(torch.cat([second, backward], dim=1), forward)
    colours, returned = moved[:, :-2], forward + moved[:, -2:]
    difference = blur((colours - first).abs().mean(dim=1, keepdim=True), 1.0)
    return torch.exp(-12 * difference - 0.5 * returned.norm(dim=1, keepdim=True))


def warp(pictures: Tensor, flow: Tensor, *, smooth: bool = False) -> Tensor:
    """Pictures whose pixels come from where the flow points, with the border repeated.

    Args:
        pictures: float32 `[N, C, H, W]`.
        flow: float32 `[N, 2, H, W]`, pixels to the right and down.
        smooth: interpolate bicubic, which keeps detail and may overshoot, instead of bilinear.
    """
    height, width = flow.shape[2:]
    across = torch.arange(width, dtype=flow.dtype, device=flow.device)
    down = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None]
    x = (across + flow[:, 0]) * (2 / max(width - 1, 1)) - 1
    y = (down + flow[:, 1]) * (2 / max(height - 1, 1)) - 1
    grid = torch.stack([x, y], dim=-1)
    mode = "bicubic" if smooth else "bilinear"
    return functional.grid_sample(pictures, grid, mode=mode, padding_mode="border", align_corners=True)


def blur(pictures: Tensor, sigma: float) -> Tensor:
    """Pictures smoothed with a Gaussian of `sigma` pixels; the border is repeated."""
    reach = round(3 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=pictures.dtype, device=pictures.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    kernel = kernel.expand(pictures.shape[1], 1, 1, -1)
    across = functional.pad(pictures, (reach, reach, 0, 0), mode="replicate")
    pictures = functional.conv2d(across, kernel, groups=len(kernel))
    down = functional.pad(pictures, (0, 0, reach, reach), mode="replicate")
    return functional.conv2d(down, kernel.transpose(2, 3), groups=len(kernel))


def _pyramid(first: Tensor, second: Tensor) -> list[tuple[Tensor, Tensor]]:
    levels = [(first, second)]
    while min(levels[-1][0].shape[2:]) >= 2 * _SMALLEST_SIDE:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    return levels


def _halved(pictures: Tensor) -> Tensor:
    height, width = pictures.shape[2:]
    # An even size keeps the pixels of two levels exactly a factor of 2 apart.
    even = functional.pad(blur(pictures, 0.7), (0, width % 2, 0, height % 2), mode="replicate")
    return functional.avg_pool2d(even, 2)


def _doubled(flow: Tensor, height: int, width: int) -> Tensor:
    larger = functional.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=False)
    return 2 * larger[:, :, :height, :width]


def _searched(first: Tensor, second: Tensor, flow: Tensor, *, reach: int) -> Tensor:
    """The flow moved by the integer offset, at most `reach`, at which the window of each pixel fits best."""
    offsets = torch.tensor(list(product(range(-reach, reach + 1), repeat=2)), device=flow.device).to(flow)
    costs = torch.cat([_costs(first, second, flow, row) for row in offsets.split(2 * reach + 1)])
    best = offsets[costs.argmin(dim=0)]
    return _median(flow + best.movedim(-1, 1))


def _costs(first: Tensor, second: Tensor, flow: Tensor, offsets: Tensor) -> Tensor:
    """`[O, N, H, W]`: how badly the pictures fit at each of `[O, 2]` offsets added to the flow."""
    count = len(offsets)
    moved = (flow + offsets[:, None, :, None, None]).flatten(0, 1)
    difference = (warp(second.repeat(count, 1, 1, 1), moved) - first.repeat(count, 1, 1, 1)).abs()
    smooth = blur(difference.mean(dim=1, keepdim=True), 1.5).unflatten(0, (count, -1))[:, :, 0]
    return smooth + _PER_PIXEL_OFFSET * offsets.abs().sum(dim=1)[:, None, None, None]


def _refined(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """The flow after some least squares steps on the brightness constancy of a window around each pixel."""
    across, down = _gradients(first)
    for _ in range(_STEPS):
        moved = warp(second, flow)
        moved_across, moved_down = _gradients(moved)
        x, y, change = (across + moved_across) / 2, (down + moved_down) / 2, moved - first
        weight = 1 / (change.abs() + _LEAST_DIFFERENCE)
        sums = blur(_summed(weight, (x * x, x * y, y * y, x * change, y * change)), _WINDOW_PIXELS)
        xx, xy, yy, xt, yt = sums.split(1, dim=1)
        xx, yy = xx + _TIKHONOV, yy + _TIKHONOV
        determinant = xx * yy - xy * xy
        step = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / determinant
        flow = flow + step.clamp(-1, 1)
    return blur(_median(flow), 0.8)


def _summed(weight: Tensor, products: Iterable[Tensor]) -> Tensor:
    return torch.cat([(weight * product).sum(dim=1, keepdim=True) for product in products], dim=1)


def _gradients(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Half the differences of the neighbours to the right and left, and below and above."""
    across = functional.pad(pictures, (1, 1, 0, 0), mode="replicate")
    down = functional.pad(pictures, (0, 0, 1, 1), mode="replicate")
    return (across[..., 2:] - across[..., :-2]) / 2, (down[..., 2:, :] - down[..., :-2, :]) / 2


def _median(flow: Tensor) -> Tensor:
    """Median of 3x3 pixels: that of the largest, middle and smallest of the three columns."""
    padded = functional.pad(flow, (1, 1, 1, 1), mode="replicate")
    low, middle, high = _sorted(*(padded[:, :, at : at + flow.shape[2]] for at in range(3)))
    columns = [[rows[..., at : at + flow.shape[3]] for at in range(3)] for rows in (low, middle, high)]
    largest_low = torch.maximum(torch.maximum(columns[0][0], columns[0][1]), columns[0][2])
    middle_middle = _sorted(*columns[1])[1]
    smallest_high = torch.minimum(torch.minimum(columns[2][0], columns[2][1]), columns[2][2])
    return _sorted(largest_low, middle_middle, smallest_high)[1]


def _sorted(one: Tensor, two: Tensor, three: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = torch.minimum(one, two), torch.maximum(one, two)
    middle = torch.maximum(low, torch.minimum(high, three))
    return torch.minimum(low, three), middle, torch.maximum(high, three)
