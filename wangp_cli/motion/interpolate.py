"""Frames in between from optical flow, without weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.tensors import from_batch, to_batch
from wangp_cli.motion.flow import blur, flows_between, reliability, warp

_FULL_SIDE = 64
"""Pixels of the smaller side up to which flow is estimated at the size of the frames."""
_MOST_PIXELS = 260_000
"""Flow of larger frames is estimated at half of their size, or a quarter and so on, within so many pixels.

Half is as exact as the whole and takes a quarter of the time.
"""
_TRUSTED = 0.08
"""Reliability below which a warped frame gives way to the mix of both frames."""
_SHORT_PIXELS = (0.7, 1.5)
_SIMILAR = (0.008, 0.024)
"""Movements and differences of colour below the first are mixed, above the second warped.

Over less than a pixel a mix keeps more detail than two warped frames, and noise looks like motion.
"""
_EXPLAINED = (1.0, 1.6)
"""How much more frames differ where they stand than where they are moved to: up to the first they are mixed,
from the second on warped, because a fade between pictures is no movement."""
_LEAST_ERROR = 0.01
_ERROR_PIXELS = 3.0
_SAME_PICTURE = 0.5
"""Share of a difference that a change of exposure must leave at most, to be taken for one."""

Flows = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""As `flows_between`."""


class ClassicInterpolator:
    """Moves both frames along the flow between them and mixes them where both can be trusted.

    Args:
        scale: size at which flow is estimated, relative to the frames; None for one that suits them.
    """

    def __init__(self, scale: float | None = None) -> None:
        self.scale = scale

    def with_scale(self, scale: float) -> ClassicInterpolator:
        """The same engine with another scale."""
        return ClassicInterpolator(scale)

    def between(self, first: Frames, second: Frames, times: Sequence[float]) -> Iterator[Frames]:
        """The frames at the given times, as of `Interpolator`; between equal frames, the frame itself."""
        if np.array_equal(first, second):
            yield from (as_float(first) for _ in times)
            return
        with torch.inference_mode():
            motion = Motion(to_batch(first), to_batch(second), self.scale)
        for time in times:
            with torch.inference_mode():
                picture = motion.at(time)
            yield from_batch(picture)


class Motion:
    """Two pictures and what moves between them.

    Args:
        first: float32 `[1, 3, H, W]` in [0, 1], at time 0.
        second: of the same shape, at time 1.
        scale: size at which flow is estimated, relative to the pictures; None for one that suits them.
        flows: estimates it, in both directions.
    """

    def __init__(
        self, first: Tensor, second: Tensor, scale: float | None = None, flows: Flows = flows_between
    ) -> None:
        self.first, self.second = first, second
        small_first, small_second = (_smaller(picture, scale) for picture in (first, second))
        small_second = _exposed_as(small_first, small_second)
        self._still_error = _difference(first, second)
        self._forward, self._backward = flows(small_first, small_second)
        self._trust_first = reliability(small_first, small_second, self._forward, self._backward)
        self._trust_second = reliability(small_second, small_first, self._backward, self._forward)
        self._moves = self._moving(small_first, small_second)

    def at(self, time: float) -> Tensor:
        """float32 `[1, 3, H, W]` in [0, 1], the picture at a time between 0 and 1.

        Source of the flow from the time to both pictures: Jiang et al. 2018, Super SloMo (arXiv:1712.00080).
        """
        to_first = time * (time * self._backward - (1 - time) * self._forward)
        to_second = (1 - time) * ((1 - time) * self._forward - time * self._backward)
        trust_first, trust_second = warp(self._trust_first, to_first), warp(self._trust_second, to_second)
        moves = self._moves * (torch.maximum(trust_first, trust_second) / _TRUSTED).clamp(max=1)
        share = time * trust_second / (time * trust_second + (1 - time) * trust_first + 1e-6)
        height, width = self.first.shape[2:]
        maps = functional.interpolate(
            torch.cat([to_first, to_second, share, moves], dim=1), size=(height, width), mode="bilinear"
        )
        larger = maps.new_tensor([width / to_first.shape[3], height / to_first.shape[2]])[None, :, None, None]
        share, moves = maps[:, 4:5], maps[:, 5:]
        first = warp(self.first, maps[:, :2] * larger, smooth=True)
        second = warp(self.second, maps[:, 2:4] * larger, smooth=True)
        explained = (self._still_error + _LEAST_ERROR) / (_difference(first, second) + _LEAST_ERROR)
        moves = moves * _ramp(explained, *_EXPLAINED)
        moved = torch.lerp(first, second, share)
        mixed = torch.lerp(self.first, self.second, time)
        return torch.lerp(mixed, moved, moves).clamp(0, 1)

    def _moving(self, first: Tensor, second: Tensor) -> Tensor:
        """`[1, 1, h, w]`, 1 where a movement can be seen, 0 where there is none."""
        longest = torch.maximum(self._forward.norm(dim=1), self._backward.norm(dim=1))[:, None]
        longest = longest * (self.first.shape[3] / first.shape[3])
        difference = blur((first - second).abs().mean(dim=1, keepdim=True), 1.5)
        return _ramp(longest, *_SHORT_PIXELS) * _ramp(difference, *_SIMILAR)


def _difference(first: Tensor, second: Tensor) -> Tensor:
    """`[1, 1, H, W]`, of the colours around each pixel."""
    return blur((first - second).abs().mean(dim=1, keepdim=True), _ERROR_PIXELS)


def _exposed_as(first: Tensor, second: Tensor) -> Tensor:
    """The second picture with the exposure of the first, if that is most of what differs; else itself."""
    centre = second.mean(dim=(2, 3), keepdim=True)
    deviation, wanted = second - centre, first.mean(dim=(2, 3), keepdim=True)
    products = (deviation * (first - wanted)).mean(dim=(2, 3), keepdim=True)
    gain = products / deviation.square().mean(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    exposed = deviation * gain + wanted
    left, all_of_it = ((picture - first).abs().mean() for picture in (exposed, second))
    return exposed if left < _SAME_PICTURE * all_of_it else second


def _smaller(picture: Tensor, scale: float | None) -> Tensor:
    height, width = picture.shape[2:]
    if scale is None:
        scale = 1 / 2 if min(height, width) > _FULL_SIDE else 1
        while height * width * scale**2 > _MOST_PIXELS:
            scale /= 2
    if scale == 1:
        return picture
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return functional.interpolate(picture, size=size, mode="bilinear", antialias=True)


def _ramp(values: Tensor, low: float, high: float) -> Tensor:
    return ((values - low) / (high - low)).clamp(0, 1)
