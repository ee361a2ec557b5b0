"""Alpha from frame to frame: optical flow, the key mask carried along, and colours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from wangp_cli.matting.colour_model import ColourModel
from wangp_cli.matting.guided_filter import guided_filter
from wangp_cli.motion.flow import blur, flow_between, flows_between, reliability, warp

RADIUS = 4
"""Of the guided filter, in pixels."""
EPSILON = 1e-3
"""Of the guided filter."""
CONTRAST = 1.7
"""By how much mixed and filtered alpha is steepened around 0.5: both blur edges a little in every frame."""
_SMOOTH = 1.0
_SMOOTH_KNOWN = 0.3
"""Share of the guided filter where the key mask cannot and can be followed."""
_DIFFERENCE_SCALE = 12.0
"""exp(-12 d) is how well two pixels of mean difference d match."""
_BETTER = 0.002
"""Mean difference by which a corrected flow must be better to be taken."""
_TRUST_REGAINED = 0.02
"""Per frame in which the pixel looks as it did in the key frame."""
_FILL_PIXELS = 6.0
"""Over which the flow of pixels without trust is taken from their neighbours."""
_COLOUR_WEIGHT = 0.3
"""Of colours, where flow and key mask can be trusted; elsewhere it rises by 1."""
_REACH = 0.08
"""Of the shorter side: how far from the object its colours may be found again."""
_MEMORY = 0.97
"""Per frame, of places where the object was and is no more."""


@dataclass(frozen=True, kw_only=True)
class AlphaEstimate:
    """Alpha of one frame.

    Args:
        alpha: float32 `[1, 1, H, W]` in [0, 1].
        trust: float32 `[1, 1, H, W]` in [0, 1], how far the key mask could be followed to each pixel.
    """

    alpha: Tensor
    trust: Tensor


class Propagation:
    """Follows an object from a key frame, in either direction of time.

    Args:
        frame: float32 `[1, 3, H, W]` in [0, 1], the key frame.
        alpha: float32 `[1, 1, H, W]` in [0, 1], its mask.
        colours: of the object and the background in all key frames.
    """

    def __init__(self, frame: Tensor, alpha: Tensor, colours: ColourModel) -> None:
        self._key, self._key_alpha, self._colours = frame, alpha, colours
        self._frame, self._alpha = frame, alpha
        self._to_key = torch.zeros_like(frame[:, :2])
        self._trust = torch.ones_like(alpha)
        self._reach = max(1, round(_REACH * min(frame.shape[2:])))
        self._near = _grown(alpha, self._reach)

    def step(self, frame: Tensor) -> AlphaEstimate:
        """The estimate for the next frame, which has the size of the key frame."""
        there, back = flows_between(frame, self._frame)
        steady = reliability(frame, self._frame, there, back)
        moved = warp(torch.cat([self._alpha, self._to_key, self._trust], dim=1), there)
        before, to_key, trust = moved.split((1, 2, 1), dim=1)
        to_key, alike = self._corrected(frame, there + to_key)
        trust = torch.minimum(trust * (2 * steady).clamp(max=1), (2 * alike).clamp(max=1))
        self._trust = (trust + _TRUST_REGAINED * alike).clamp(max=1)
        known = alike * self._trust
        self._to_key = _filled(to_key, known)
        near = torch.maximum(_grown(self._near, 1) * _MEMORY, _grown(before, self._reach))
        alpha = self._mixed(frame, before, steady, known, warp(self._key_alpha, to_key), near)
        self._frame, self._alpha, self._near = frame, alpha, near
        return AlphaEstimate(alpha=alpha, trust=known)

    def _mixed(
        self, frame: Tensor, before: Tensor, steady: Tensor, known: Tensor, key: Tensor, near: Tensor
    ) -> Tensor:
        """The mean of the three guesses of alpha, each weighted by how far it can be trusted.

        Args:
            frame: the frame.
            before: alpha of the frame before, moved.
            steady: reliability of that motion.
            known: trust in the motion from the key frame.
            key: alpha of the key frame, moved.
            near: 1 close to where the object is or was.
        """
        colour = blur(self._colours.probability(frame), 0.7) * near
        # Alpha around 0.5 is an edge, or unknown: what others know decides.
        of_before = steady * (0.2 + 0.8 * _certainty(before)) + 0.02
        of_colour = _certainty(colour) * (_COLOUR_WEIGHT + 1 - torch.maximum(steady / 2, known))
        mixed = of_before * before + known * key + of_colour * colour
        mixed = mixed / (of_before + known + of_colour)
        smooth = guided_filter(frame, mixed, RADIUS, EPSILON).clamp(0, 1)
        # Where the key mask can be followed, its edges are better than those of the filter.
        guess = (1 - known) * _SMOOTH + known * _SMOOTH_KNOWN
        mixed = mixed + (smooth - mixed) * guess
        return (0.5 + (1 + (CONTRAST - 1) * guess) * (mixed - 0.5)).clamp(0, 1)

    def _corrected(self, frame: Tensor, to_key: Tensor) -> tuple[Tensor, Tensor]:
        """The flow to the key frame without the errors that add up, and how alike its pixels are.

        Where pixels lie outside of the key frame, they are not alike.
        """
        seen = warp(self._key, to_key)
        change = _half_size_flow(frame, seen)
        corrected = change + warp(to_key, change)
        better = _difference(frame, warp(self._key, corrected)) < _difference(frame, seen) - _BETTER
        to_key = to_key + (corrected - to_key) * blur(better.float(), 1.0)
        difference = _difference(frame, warp(self._key, to_key))
        return to_key, torch.exp(-_DIFFERENCE_SCALE * difference) * _inside(to_key)


def _difference(one: Tensor, other: Tensor) -> Tensor:
    return blur((one - other).abs().mean(dim=1, keepdim=True), 1.5)


def _certainty(alpha: Tensor) -> Tensor:
    return (2 * alpha - 1).abs()


def _half_size_flow(first: Tensor, second: Tensor) -> Tensor:
    size = [max(side // 2, 1) for side in first.shape[2:]]
    small = flow_between(*(functional.interpolate(part, size, mode="area") for part in (first, second)))
    flow = functional.interpolate(small, first.shape[2:], mode="bilinear")
    scale = [whole / half for whole, half in zip(first.shape[2:], size, strict=True)]
    return torch.stack([flow[:, 0] * scale[1], flow[:, 1] * scale[0]], dim=1)


def _filled(flow: Tensor, known: Tensor) -> Tensor:
    """The flow, where it is not known that of known pixels close by."""
    weight = known**2 + 1e-4
    around = blur(flow * weight, _FILL_PIXELS) / blur(weight, _FILL_PIXELS)
    return torch.where(known > 0.3, flow, around)


def _inside(flow: Tensor) -> Tensor:
    """1 where the flow points into the picture, else 0."""
    height, width = flow.shape[2:]
    x = torch.arange(width, device=flow.device) + flow[:, :1]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1:]
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).float()


def _grown(alpha: Tensor, pixels: int) -> Tensor:
    return functional.max_pool2d(alpha, 2 * pixels + 1, stride=1, padding=pixels)
